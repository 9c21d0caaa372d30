/*
 * A reader of one pinned version of a WAL database, beside writers, checkpoints, restarts, crashes and closes.
 *
 * Property: bytes that are given to a reader are of the version it has pinned. A reader may always fail.
 *
 * One step is one thing that another process can see: a store to the WAL-index, a write to the WAL or to the main file, a lock.
 * README.md says what is left out, and why that hides nothing.
 */
#ifndef COMMITS
#define COMMITS 3
#endif
#ifndef FRAMES
#define FRAMES 3
#endif
#ifndef CHECKPOINTS
#define CHECKPOINTS 2
#endif
#ifndef KILLS
#define KILLS 0
#endif
#ifndef CLOSES
#define CLOSES 0
#endif
#ifndef WRITERS
#define WRITERS 2
#endif
#ifndef WAL_RESET_BUG
#define WAL_RESET_BUG false
#endif
#define UNUSED 15
#define NOLOCK 7
#if defined(SEEN) || defined(WITHOUT_SEEN_FOR_RESTARTED) || defined(WITHOUT_SALT2)
#define NEXT_SALT1(_salt, _n) _salt = _salt + _n
#else
#define NEXT_SALT1(_salt, _n) skip /* nobody looks at the first salt alone */
#endif

/* ---- what lies on disk and in shared memory ------------------------------------------------------ */

/* One page is watched. A frame is its or another's. */
typedef frame {
        bool ours;
        byte value; /* the commit that wrote it */
        byte gen; /* the generation; 0: not a valid frame */
        bool commit
}
frame wal[4]; /* FRAMES of them are used */
byte wal_gen, wal_salt1; /* the WAL's own header; 0: an empty WAL */
byte db; /* the watched page in the main file */

/* The WAL-index. A generation stands for both salts, salt1 for the first. */
bool h_ok; /* the two copies of the header are the same */
byte h_mx, h_gen, h_salt1;
byte backfill, attempted;
byte mark[3];

/* Which file has the name now; what a WAL-index holds that has lost its name. */
byte wal_file, shm_file;
byte lost_attempted, lost_gen;

/* Main's mtime: a write changes it, unless the last write was in the same tick of the clock. */
bool fresh, watching, touched;

/* ---- locks of the application; ours are among them if they are seen -------------------------------- */

bool lk_write, lk_ckpt, lk_read0, lk_readx, lk_main;
byte lk_read[3];
byte connected; /* the dead man's switch is held by so many connections */
byte shared; /* SHARED on main and the dead man's switch are held by so many readers of ours */

/* ---- what nobody in the model decides by ---------------------------------------------------------- */

byte current; /* the committed value of the watched page */
byte commits, gens, checkpoints, kills, closes;
bool dying[WRITERS + 1];
#define CHECKPOINTER WRITERS

#if KILLS
#define TEAR_HEADER h_ok = 0
#else
#define TEAR_HEADER skip
#endif

inline write_main(_value) {
        db = _value;
        touched = touched || (watching && !fresh);
#ifdef TICKS
        fresh = 1
#endif
}

inline next_gen(_gen) {
        gens++;
        _gen = gens
}

/* ---- a connection opens; a bad header is recovered -------------------------------------------------- */

/* The first to come after all have gone empties the WAL-index. */
inline connect() {
        d_step {
                if
                :: connected == 0 && shared == 0 ->
                        h_ok = 0; h_mx = 0; h_gen = 0; h_salt1 = 0;
                        backfill = 0; attempted = 0; mark[1] = 0; mark[2] = 0
                :: else
                fi;
                connected++
        }
}

/* walIndexRecover(), under the locks for writing, checkpoint and recovery. */
inline recover(_last, _i) {
        d_step {
                _last = 0; _i = 0;
                do
                :: _i < FRAMES && wal_gen != 0 && wal[_i].gen == wal_gen ->
                        _i++;
                        if
                        :: wal[_i - 1].commit -> _last = _i
                        :: else
                        fi
                :: else -> break
                od;
                _i = 0;
                do
                :: _i < _last ->
                        if
                        :: wal[_i].ours -> current = wal[_i].value
                        :: else
                        fi;
                        _i++
                :: else -> break
                od;
                _i = 0;
                h_ok = 1; h_mx = _last; h_gen = wal_gen; h_salt1 = wal_salt1
        }
        backfill = 0;
        attempted = _last;
        d_step {
                if
                :: lk_read[1] == 0 -> mark[1] = (_last -> _last : UNUSED)
                :: else
                fi
        }
        d_step {
                if
                :: lk_read[2] == 0 -> mark[2] = UNUSED
                :: else
                fi;
                _last = 0
        }
}

/* walRestartHdr(): the header first, the counters after it. */
inline restart_header(_gen) {
        TEAR_HEADER;
        d_step { next_gen(_gen); h_mx = 0; h_gen = _gen; NEXT_SALT1(h_salt1, 1); h_ok = 1 }
        backfill = 0;
        attempted = 0;
        d_step { mark[1] = 0; mark[2] = UNUSED }
}

inline empty_wal(_i) {
        _i = 0;
        do
        :: _i < FRAMES -> wal[_i].gen = 0; wal[_i].value = 0; wal[_i].ours = 0; wal[_i].commit = 0; _i++
        :: else -> break
        od;
        _i = 0; wal_gen = 0; wal_salt1 = 0
}

/* ---- a writer ------------------------------------------------------------------------------------ */

/* A read mark that says exactly this much, if one can be had. */
inline take_mark(_mx) {
        if
        :: mark[1] == _mx || lk_read[1] == 0 -> slot = 1; mark[1] = _mx
        :: mark[1] != _mx && lk_read[1] != 0 && (mark[2] == _mx || lk_read[2] == 0) -> slot = 2; mark[2] = _mx
        fi
}

inline append(_ours, _commit) {
        wal[mx].gen = gen; wal[mx].ours = _ours; wal[mx].commit = _commit; wal[mx].value = (_ours -> commits : 0);
        mx++
}

proctype Writer(byte me) {
        byte slot = NOLOCK, mx, gen, salt1, i, value;
        bool on = 1, writes, recovers, restarts, restarted;
        bool before, ours, after;

again:
        {
        end:
                do
                :: !on -> connect(); on = 1
                :: atomic { on && !h_ok && !lk_write && !lk_ckpt && !lk_main -> lk_write = 1; lk_ckpt = 1; recovers = 1 }
                        recover(mx, i);
                        d_step { lk_write = 0; lk_ckpt = 0; recovers = 0 }
                :: atomic {
                        /* walTryBeginRead() */
                        on && h_ok && !lk_main && !lk_readx && commits < COMMITS ->
                        mx = h_mx; gen = h_gen; salt1 = h_salt1;
                        if
                        :: backfill == mx && !lk_read0 -> slot = 0
                        :: backfill != mx || lk_read0 -> take_mark(mx)
                        fi;
                        lk_read[slot]++
                   }
                   if
                   :: atomic {
                           h_ok && !lk_write && h_gen == gen && h_mx == mx && commits < COMMITS ->
                           lk_write = 1; writes = 1
                      }
                      /* walRestartLog() */
                      if
                      :: atomic {
                              slot == 0 && backfill > 0 && lk_read[1] == 0 && lk_read[2] == 0 && !lk_readx ->
                              lk_readx = 1; restarts = 1
                         }
                         restart_header(gen);
                         d_step { lk_readx = 0; restarts = 0; restarted = 1; mx = 0; salt1 = h_salt1 }
                      :: else
                      fi;
                      atomic {
                              slot != 0 || !lk_readx ->
                              if
                              :: slot == 0 -> lk_read[0]--; take_mark(mx); lk_read[slot]++
                              :: else
                              fi;
                              if
                              :: mx + 1 <= FRAMES -> ours = 1
                              :: mx + 1 <= FRAMES -> before = 1
                              :: mx + 2 <= FRAMES -> ours = 1; before = 1
                              :: mx + 2 <= FRAMES -> ours = 1; after = 1
                              fi;
                              commits++;
                              if
                              :: mx == 0 ->
                                      /* A connection that has not restarted this WAL makes both salts anew. */
                                      if
                                      :: !restarted -> next_gen(gen); NEXT_SALT1(salt1, 3)
                                      :: else
                                      fi;
                                      wal_gen = gen; wal_salt1 = salt1
                              :: else
                              fi;
                              if
                              :: before -> append(0, !ours)
                              :: else
                              fi
                      }
                      atomic {
                              if
                              :: ours -> append(1, !after)
                              :: else
                              fi
                      }
                      atomic {
                              if
                              :: after -> append(0, 1)
                              :: else
                              fi
                      }
                      TEAR_HEADER;
                      d_step {
                              current = (ours -> commits : current);
                              h_mx = mx; h_gen = gen; h_salt1 = salt1; h_ok = 1;
                              lk_write = 0; writes = 0; before = 0; ours = 0; after = 0;
                              lk_read[slot]--; slot = NOLOCK; mx = 0; gen = 0; salt1 = 0
                      }
                   :: atomic {
                           !h_ok || h_gen != gen || h_mx != mx || commits == COMMITS ->
                           lk_read[slot]--; slot = NOLOCK; mx = 0; gen = 0; salt1 = 0
                      }
                   fi
                od
        } unless {
                d_step {
                        dying[me] ->
                        dying[me] = 0;
                        if
                        :: slot != NOLOCK -> lk_read[slot]--
                        :: else
                        fi;
                        lk_write = lk_write && !writes && !recovers;
                        lk_ckpt = lk_ckpt && !recovers;
                        lk_readx = lk_readx && !restarts;
                        slot = NOLOCK; writes = 0; recovers = 0; restarts = 0; mx = 0; gen = 0; salt1 = 0; i = 0;
                        before = 0; ours = 0; after = 0; restarted = 0;
                        on = 0; connected--
                }
        }
        goto again
}

/* ---- the checkpointer: all modes, and the last close ---------------------------------------------- */

proctype Checkpointer() {
        byte mx, gen, safe, below, f, i;
        bool on = 1, ckpt, writes, truncates, read0, readx, recovers, closing;

again:
        {
        end:
                do
                :: !on -> connect(); on = 1
                :: atomic { on && !h_ok && !lk_write && !lk_ckpt -> lk_write = 1; lk_ckpt = 1; recovers = 1 }
                        recover(f, i);
                        d_step { lk_write = 0; lk_ckpt = 0; recovers = 0 }
                :: atomic {
                        on && h_ok && !lk_ckpt && checkpoints < CHECKPOINTS ->
                        checkpoints++;
                        lk_ckpt = 1; ckpt = 1;
                        if
                        :: skip
                        :: !lk_write -> lk_write = 1; writes = 1; truncates = 1
                        fi;
                        mx = h_mx; gen = h_gen; safe = mx
                   }
                   break
#if CLOSES
                :: atomic {
                        /* All others have closed, and no SHARED that is seen is in the way of EXCLUSIVE. */
                        on && h_ok && closes < CLOSES && !lk_write && !lk_ckpt && shared == 0 &&
                        lk_read[0] + lk_read[1] + lk_read[2] == 0 ->
                        closes++;
                        lk_main = 1; closing = 1; lk_ckpt = 1; ckpt = 1;
                        mx = h_mx; gen = h_gen; safe = mx
                   }
                   break
#endif
                od;
                if
                :: atomic {
                        backfill < mx ->
                        i = 1;
                        do
                        :: i < 3 ->
                                if
                                :: safe > mark[i] && lk_read[i] == 0 && !lk_readx -> mark[i] = (i == 1 -> safe : UNUSED)
                                :: safe > mark[i] && (lk_read[i] != 0 || lk_readx) -> safe = mark[i]
                                :: else
                                fi;
                                i++
                        :: else -> break
                        od;
                        i = 0
                   }
                        if
                        :: atomic { backfill < safe && lk_read[0] == 0 -> lk_read0 = 1; read0 = 1; below = backfill }
                           if
                           :: h_gen == gen || WAL_RESET_BUG ->
                                   attempted = safe;
                                   /* The newest frame of the page, if this checkpoint may write it. */
                                   d_step {
                                           f = mx;
                                           do
                                           :: f > below && !wal[f - 1].ours -> f--
                                           :: else -> break
                                           od;
                                           if
                                           :: f > below && f <= safe -> write_main(wal[f - 1].value)
                                           :: else
                                           fi;
                                           f = 0
                                   }
                                   d_step { backfill = safe; lk_read0 = 0; read0 = 0 }
                           :: d_step { else -> lk_read0 = 0; read0 = 0 }
                           fi
                        :: backfill >= safe || lk_read[0] != 0
                        fi
                :: else
                fi;
                if
                :: atomic {
                        truncates && backfill == mx && lk_read[1] == 0 && lk_read[2] == 0 && !lk_readx ->
                        lk_readx = 1; readx = 1
                   }
                   restart_header(gen);
                   d_step { empty_wal(i) }
                   d_step { lk_readx = 0; readx = 0 }
                :: else
                fi;
                if
                :: closing ->
                        d_step { empty_wal(i); wal_file++ }
                        d_step {
                                shm_file++; lost_attempted = attempted; lost_gen = h_gen;
                                h_ok = 0; h_mx = 0; h_gen = 0; h_salt1 = 0;
                                backfill = 0; attempted = 0; mark[1] = 0; mark[2] = 0
                        }
                :: else
                fi;
                d_step {
                        lk_write = lk_write && !writes;
                        lk_main = lk_main && !closing;
                        lk_ckpt = 0; writes = 0; ckpt = 0; truncates = 0; closing = 0;
                        mx = 0; gen = 0; safe = 0; below = 0
                }
        } unless {
                d_step {
                        dying[CHECKPOINTER] ->
                        dying[CHECKPOINTER] = 0;
                        lk_write = lk_write && !writes && !recovers;
                        lk_ckpt = lk_ckpt && !ckpt && !recovers;
                        lk_read0 = lk_read0 && !read0;
                        lk_readx = lk_readx && !readx;
                        lk_main = lk_main && !closing;
                        writes = 0; ckpt = 0; recovers = 0; read0 = 0; readx = 0; truncates = 0; closing = 0;
                        mx = 0; gen = 0; safe = 0; below = 0; f = 0; i = 0;
                        on = 0; connected--
                }
        }
        goto again
}

/* ---- kill -9, and the clock ----------------------------------------------------------------------- */

#if KILLS
active proctype Killer() {
end:
        do
        :: atomic {
                /* Not amid a restart: SQLite itself then keeps counters of the old generation, and loses commits. */
                kills < KILLS && connected == WRITERS + 1 && !lk_readx ->
                kills++;
                if
                :: dying[0] = 1
                :: dying[CHECKPOINTER] = 1
                :: dying[0] = 1; dying[1] = 1; dying[CHECKPOINTER] = 1
                fi
           }
           !dying[0] && !dying[1] && !dying[CHECKPOINTER]
        od
}
#endif

#ifdef TICKS
active proctype Clock() {
end:
        do
        :: fresh -> fresh = 0
        od
}
#endif

/* ---- the reader ----------------------------------------------------------------------------------- */

/* The rules of the proof. A mutant is without one of them. */
#ifdef WITHOUT_ATTEMPTED
#define RULE_ATTEMPTED true
#else
#define RULE_ATTEMPTED (a <= mx)
#endif
#ifdef WITHOUT_FALL
#define RULE_FALL true
#else
#define RULE_FALL (a >= was)
#endif
#ifdef WITHOUT_ZERO_SALTS
#define RULE_ZERO_SALTS true
#else
#define RULE_ZERO_SALTS (gen != 0)
#endif
#ifdef WITHOUT_OLD_ENOUGH
#define RULE_OLD_ENOUGH true
#else
#define RULE_OLD_ENOUGH (!young)
#endif
#ifdef WITHOUT_SALTS
#define SAME_SALTS true
#else
#ifdef WITHOUT_SALT2
#define SAME_SALTS (h_ok && h_salt1 == salt1)
#else
#define SAME_SALTS (h_ok && h_gen == gen)
#endif
#endif
#if defined(SEEN) || defined(WITHOUT_SEEN_FOR_RESTARTED)
#define RULE_RESTARTED true
#else
#define RULE_RESTARTED false
#endif

inline stat_main() {
        watching = 1; touched = 0; young = fresh
}

inline read_header() {
        mx = h_mx; gen = h_gen; salt1 = h_salt1; want = current
}

inline look_at_salts() {
        ok = (my_shm == shm_file -> SAME_SALTS : lost_gen == gen);
        b = h_salt1
}

/* The bytes of the page: of its newest frame that is neither behind the version nor in main by now; a WAL without a name stays as it is. */
#define FRAME_IS(_f) (_f <= mx && _f > low && wal[_f - 1].ours)
#define ANY_FRAME (FRAME_IS(4) || FRAME_IS(3) || FRAME_IS(2) || FRAME_IS(1))
#define BYTES (FRAME_IS(4) -> wal[3].value : (FRAME_IS(3) -> wal[2].value : (FRAME_IS(2) -> wal[1].value : (FRAME_IS(1) -> wal[0].value : db))))
#define READ_IS_BAD (BYTES != want && !(ANY_FRAME && my_wal != wal_file))

proctype Reader() {
        byte mx, gen, salt1, low, was, slot = NOLOCK, want, m, a, b;
        byte my_wal, my_shm;
        bool young, ok, main_only, proven, broken;

        atomic {
#ifdef SEEN
                !lk_main && connected > 0 && h_ok -> shared++;
#else
                h_ok;
#endif
                my_wal = wal_file; my_shm = shm_file;
#ifndef WITHOUT_STAT_FIRST
                stat_main();
#endif
#ifndef WITHOUT_HEADER_FIRST
                read_header();
#endif
#if !defined(SEEN) && !KILLS
                /* The header reads the same before and after the counters: then this is one moment. */
                low = backfill; was = attempted
#endif
        }
#ifdef SEEN
        /* walTryBeginRead() of a client that may not write to the WAL-index: a mark is taken as it is. */
        atomic {
                if
                :: backfill == mx && !lk_read0 -> slot = 0
                :: (backfill != mx || lk_read0) && !lk_readx ->
                        if
                        :: mark[1] <= mx && (mark[2] > mx || mark[2] <= mark[1]) -> slot = 1; m = mark[1]
                        :: mark[2] <= mx && (mark[1] > mx || mark[1] < mark[2]) -> slot = 2; m = mark[2]
                        :: mark[1] > mx && mark[2] > mx -> false
                        fi
                :: backfill != mx && lk_readx -> false
                fi;
                lk_read[slot]++
        }
#endif
#if defined(WITHOUT_BACKFILL_FIRST)
        d_step { low = backfill; was = attempted }
#elif defined(WITHOUT_HEADER_FIRST)
        d_step { low = backfill; was = attempted }
        atomic { h_ok -> read_header() }
#elif defined(SEEN) || KILLS
        d_step { low = (slot == 0 -> mx : backfill); was = attempted }
        h_ok && h_gen == gen && h_mx == mx && (slot == 0 || slot == NOLOCK || mark[slot] == m);
#endif
#ifdef WITHOUT_STAT_FIRST
        atomic { stat_main() }
#endif

        /* The read. Right bytes need no proof: here this reader stops, unless it has read wrong ones. */
#ifndef WITHOUT_LOOK_AFTER
        d_step { READ_IS_BAD -> want = 0; m = 0; main_only = (mx <= low); low = 0 }
#endif

        /* The look. */
#ifdef WITHOUT_SALTS_LAST
        d_step { look_at_salts() }
#endif
        atomic {
                a = (my_shm == shm_file -> attempted : lost_attempted);
                RULE_ATTEMPTED && RULE_FALL || main_only
        }
#ifndef WITHOUT_MARKS
        broken = (my_shm == shm_file && mark[2] == 0);
        broken = (broken || a != (my_shm == shm_file -> attempted : lost_attempted));
#endif
        d_step {
#ifndef WITHOUT_SALTS_LAST
                look_at_salts();
#endif
#ifndef WITHOUT_NAMES
                broken = broken || my_wal != wal_file || my_shm != shm_file;
#endif
                proven = !broken && ok && RULE_ATTEMPTED && RULE_FALL && RULE_ZERO_SALTS;
                proven = proven || (main_only && !touched && RULE_OLD_ENOUGH);
                proven = proven || (RULE_RESTARTED && main_only && !broken && b == salt1 + 1 && a == 0)
        }
        if
#ifdef WITHOUT_LOOK_AFTER
        :: proven && READ_IS_BAD
#else
        :: proven
#endif
        fi;
        assert(false) /* wrong bytes are given out */
}

/* Another reader, whose locks are seen: it takes them and lets them go. */
#if defined(SEEN) && defined(SECOND)
proctype Second() {
        byte slot = NOLOCK;
end:
        do
        :: atomic {
                slot == NOLOCK && !lk_main && connected > 0 && h_ok ->
                shared++;
                if
                :: backfill == h_mx && !lk_read0 -> slot = 0
                :: !lk_readx && mark[1] <= h_mx -> slot = 1
                :: !lk_readx && mark[2] <= h_mx -> slot = 2
                fi;
                lk_read[slot]++
           }
           atomic { lk_read[slot]--; slot = NOLOCK; shared-- ; break }
        od
}
#endif

init {
        atomic {
                h_ok = 1; mark[1] = UNUSED; mark[2] = UNUSED; connected = WRITERS + 1;
#ifndef ALONE
                run Reader();
#endif
                run Writer(0);
#if WRITERS > 1
                run Writer(1);
#endif
                run Checkpointer();
#if defined(SEEN) && defined(SECOND)
                run Second();
#endif
        }
}
