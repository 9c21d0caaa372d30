/* worker.c: in the order of time, by n threads at once, and to the end. */
#include "tap.h"

#include "snapshot/worker.h"

#include <errno.h>

enum { MS = 1000000 };

/* What all pieces of work of a test share. */
struct board {
        struct mutex lock;
        pthread_cond_t changed;
        struct worker_pool *pool;
        bool open; /* the gate that some wait at */
        unsigned n_done, n_inside, n_together;
        int order[64];
};

struct piece {
        struct work work;
        struct board *board;
        int number;
        uint64_t done_ns;
};

static void board_init(struct board *board, unsigned n_threads) {
        *board = (struct board){ .n_done = 0 };
        mutex_init(&board->lock, MUTEX_RANK_STORE);
        mutex_cond_init(&board->changed);
        need(worker_pool_new(&board->pool, n_threads) == 0);
}

static void board_deinit(struct board *board) {
        worker_pool_free(board->pool);
        pthread_cond_destroy(&board->changed);
        mutex_deinit(&board->lock);
}

static void note(struct work *work) {
        struct piece *piece = container_of(work, struct piece, work);
        MUTEX_SCOPE(&piece->board->lock);

        piece->done_ns = base_now_ns();
        if (piece->board->n_done < ARRAY_SIZE(piece->board->order))
                piece->board->order[piece->board->n_done] = piece->number;
        piece->board->n_done++;
        pthread_cond_broadcast(&piece->board->changed);
}

static void wait_at_gate(struct work *work) {
        struct board *board = container_of(work, struct piece, work)->board;
        MUTEX_SCOPE(&board->lock);

        board->n_inside++;
        pthread_cond_broadcast(&board->changed);
        while (!board->open)
                mutex_wait(&board->lock, &board->changed, 0);
}

/* Whether what is counted comes to n within a minute. */
static bool wait_count(struct board *board, const unsigned *count, unsigned n) {
        uint64_t until = base_now_ns() + (uint64_t)60000 * MS;
        MUTEX_SCOPE(&board->lock);

        while (*count < n)
                if (mutex_wait(&board->lock, &board->changed, until) == -ETIMEDOUT)
                        return false;
        return true;
}

static void open_gate(struct board *board) {
        MUTEX_SCOPE(&board->lock);

        board->open = true;
        pthread_cond_broadcast(&board->changed);
}

static void test_order(void) {
        static const unsigned delays[] = { 30, 0, 20, 0, 10, 20, 5 };
        static const int want[] = { 1, 3, 6, 4, 2, 5, 0 };
        struct piece gate, pieces[ARRAY_SIZE(delays)];
        struct board board;
        unsigned n_wrong = 0;

        board_init(&board, 1);
        gate = (struct piece){ .board = &board };
        worker_submit(board.pool, &gate.work, wait_at_gate, 0);
        need(wait_count(&board, &board.n_inside, 1));
        for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
                pieces[i] = (struct piece){ .board = &board, .number = (int)i };
                worker_submit(board.pool, &pieces[i].work, note, (uint64_t)delays[i] * MS * 100);
        }
        open_gate(&board);
        ok(wait_count(&board, &board.n_done, ARRAY_SIZE(pieces)), "all work is done");
        for (size_t i = 0; i < ARRAY_SIZE(want); i++)
                n_wrong += board.order[i] != want[i];
        is(n_wrong, 0, "in the order it was due, and of equals the first come first");
        board_deinit(&board);
}

static void test_delay(void) {
        struct piece late, soon;
        struct board board;
        uint64_t start = base_now_ns();

        board_init(&board, 1);
        late = (struct piece){ .board = &board };
        soon = (struct piece){ .board = &board };
        worker_submit(board.pool, &late.work, note, (uint64_t)3600000 * MS);
        worker_submit(board.pool, &soon.work, note, 20 * MS);
        ok(wait_count(&board, &board.n_done, 1),
           "a thread that waits for later work sees what is due sooner");
        ok(soon.done_ns - start >= 20 * MS, "not before its time");
        is(board.n_done, 1, "what is due in an hour is not done");
        board_deinit(&board);
        is(board.n_done, 2, "but at the end it is");
        ok(late.done_ns - start < (uint64_t)600000 * MS, "without waiting for its time");
}

/* Each waits until all are inside: that needs a thread for each. */
static void test_threads(void) {
        enum { THREADS = 6 };
        struct piece pieces[THREADS];
        struct board board;

        board_init(&board, THREADS);
        for (unsigned i = 0; i < THREADS; i++) {
                pieces[i] = (struct piece){ .board = &board };
                worker_submit(board.pool, &pieces[i].work, wait_at_gate, i % 3 * MS);
        }
        ok(wait_count(&board, &board.n_inside, THREADS), "%d threads work at once", THREADS);
        open_gate(&board);
        board_deinit(&board);
}

/* No wake-up may go astray: pairs that need each other, in many timings. */
static void meet(struct work *work) {
        struct board *board = container_of(work, struct piece, work)->board;
        uint64_t until = base_now_ns() + (uint64_t)30000 * MS;
        MUTEX_SCOPE(&board->lock);

        board->n_inside++;
        pthread_cond_broadcast(&board->changed);
        while (board->n_inside < 2 && mutex_wait(&board->lock, &board->changed, until) == 0)
                ;
        board->n_together += board->n_inside >= 2;
        board->n_done++;
        pthread_cond_broadcast(&board->changed);
}

static void test_wakeups(void) {
        enum { ROUNDS = 400 };
        struct board board;
        unsigned n_alone = 0;

        board_init(&board, 2);
        for (unsigned i = 0; i < ROUNDS && n_alone == 0; i++) {
                struct piece a = { .board = &board }, b = { .board = &board };

                mutex_lock(&board.lock);
                board.n_inside = board.n_done = board.n_together = 0;
                mutex_unlock(&board.lock);
                worker_submit(board.pool, &a.work, meet, (uint64_t)(i * 7 % 11) * MS / 10);
                worker_submit(board.pool, &b.work, meet, (uint64_t)(i * 5 % 13) * MS / 10);
                need(wait_count(&board, &board.n_done, 2));
                n_alone += board.n_together != 2;
        }
        is(n_alone, 0, "two pieces and two threads always meet, whichever is due first");
        board_deinit(&board);
}

static void again(struct work *work) {
        struct piece *piece = container_of(work, struct piece, work);
        bool more;

        mutex_assert_none_held();
        {
                MUTEX_SCOPE(&piece->board->lock);
                more = --piece->number > 0;
                piece->board->n_done++;
        }
        if (more)
                worker_submit(piece->board->pool, work, again,
                              piece->number % 10 == 0 ? (uint64_t)3600000 * MS : 0);
}

static void test_drain(void) {
        struct piece pieces[8];
        struct board board;

        for (unsigned n_threads = 1; n_threads <= 4; n_threads++) {
                board_init(&board, n_threads);
                for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
                        pieces[i] = (struct piece){ .board = &board, .number = 100 };
                        worker_submit(board.pool, &pieces[i].work, again, i * MS);
                }
                board_deinit(&board);
                is(board.n_done, 100 * ARRAY_SIZE(pieces),
                   "%u threads: the end runs what is queued and what that submits, at once", n_threads);
        }
        ok(!worker_pool_free(NULL), "no pool is no error");
}

/* What was put off for an hour comes at once when it is hastened; what is done is not done again. */
static void test_hasten(void) {
        struct board board;
        struct piece late = { .board = &board, .number = 1 }, later = { .board = &board, .number = 2 };

        board_init(&board, 2);
        worker_submit(board.pool, &later.work, note, (uint64_t)7200000 * MS);
        worker_submit(board.pool, &late.work, note, (uint64_t)3600000 * MS);
        worker_hasten(board.pool, &later.work);
        mutex_lock(&board.lock);
        while (board.n_done < 1)
                mutex_wait(&board.lock, &board.changed, 0);
        is(board.order[0], 2, "what is hastened overtakes");
        mutex_unlock(&board.lock);
        worker_hasten(board.pool, &later.work);
        worker_pool_drain(board.pool);
        is(board.n_done, 2, "and each is done once");
        board_deinit(&board);
}

int main(void) {
        base_log_to(tap_log, BASE_LOG_DEBUG);
        test_order();
        test_delay();
        test_threads();
        test_wakeups();
        test_drain();
        test_hasten();
        return tap_done();
}
