# bash completion for litesnapfs(8). The words of -o are separated by commas, and bash takes a word apart at "=": so it is
# put together again, and what is offered is cut to what bash takes for the word.
# shellcheck shell=bash

# _litesnapfs_offer WORD BEFORE CANDIDATE...: those that begin with WORD, each with BEFORE in front of it.
_litesnapfs_offer() {
        local word=$1 before=$2 candidate
        shift 2
        [[ $COMP_WORDBREAKS != *=* ]] || before=${before##*=}
        for candidate; do
                [[ $candidate != "$word"* ]] || COMPREPLY+=("$before$candidate")
        done
}

_litesnapfs_directories() {
        local before=$2
        [[ $COMP_WORDBREAKS != *=* ]] || before=${before##*=}
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -d -- "$1")
        COMPREPLY=("${COMPREPLY[@]/#/"$before"}")
}

# What stands behind -o, as far as it is there: OPTION,OPTION=VALUE...
_litesnapfs_options() {
        local before=$2 last=${1##*,}
        before+=${1%"$last"}
        case $last in
        snapshot_dir=*) _litesnapfs_directories "${last#*=}" "$before${last%%=*}=" ;;
        engine=*) _litesnapfs_offer "${last#*=}" "$before${last%%=*}=" auto backup reflink ;;
        racy=*) _litesnapfs_offer "${last#*=}" "$before${last%%=*}=" smudge wait off ;;
        passthrough=*) _litesnapfs_offer "${last#*=}" "$before${last%%=*}=" auto off ;;
        strict=*) _litesnapfs_offer "${last#*=}" "$before${last%%=*}=" on off ;;
        *=*) ;;
        *)
                _litesnapfs_offer "$last" "$before" snapshot_dir= busy_timeout= max_space= engine= accept_quiet= \
                        racy= linger= require_locks passthrough= strict= max_read= nosymfollow one_file_system \
                        allow_other allow_root auto_unmount
                ;;
        esac
        compopt -o nospace
}

# Once the command has begun, what is offered is what that one takes. Fails when it has not begun.
_litesnapfs_command() {
        local i
        for ((i = 1; i < COMP_CWORD; i++)); do
                [ "${COMP_WORDS[i]}" = -- ] || continue
                if declare -F _command_offset >/dev/null; then
                        _command_offset $((i + 1))
                elif [ "$COMP_CWORD" = $((i + 1)) ]; then
                        mapfile -t COMPREPLY < <(compgen -c -- "$1")
                else
                        compopt -o filenames
                        mapfile -t COMPREPLY < <(compgen -f -- "$1")
                fi
                return 0
        done
        return 1
}

_litesnapfs() {
        local -i at=COMP_CWORD
        local word=${COMP_WORDS[at]} previous
        while [ $at -gt 1 ] && { [ "${COMP_WORDS[at]}" = = ] || [ "${COMP_WORDS[at - 1]}" = = ]; }; do
                at+=-1
                word=${COMP_WORDS[at]}$word
        done
        previous=${COMP_WORDS[at - 1]}
        COMPREPLY=()
        ! _litesnapfs_command "$word" || return 0
        case $previous in
        -o)
                _litesnapfs_options "$word" ''
                return
                ;;
        -S)
                _litesnapfs_directories "$word" ''
                return
                ;;
        esac
        case $word in
        -o*) _litesnapfs_options "${word#-o}" -o ;;
        --source=*) _litesnapfs_directories "${word#*=}" --source= ;;
        -*)
                _litesnapfs_offer "$word" '' -o -f -d -S --source= -h --help -V --version --
                [[ ${COMPREPLY[*]} != *= ]] || compopt -o nospace
                ;;
        *) _litesnapfs_directories "$word" '' ;;
        esac
}

complete -F _litesnapfs litesnapfs
