# bash completion for litesnap(1).
# shellcheck shell=bash

_litesnap() {
        local -i at=COMP_CWORD
        local word=${COMP_WORDS[at]} before='' options='' candidates=()
        # bash takes a word apart at "=".
        while [ $at -gt 1 ] && { [ "${COMP_WORDS[at]}" = = ] || [ "${COMP_WORDS[at - 1]}" = = ]; }; do
                at+=-1
                word=${COMP_WORDS[at]}$word
        done
        COMPREPLY=()
        if [ "$COMP_CWORD" = 1 ]; then
                mapfile -t COMPREPLY < <(compgen -W 'list copy check restore status -h --help -V --version' -- "$word")
                return
        fi
        case $word in
        --*=*)
                [[ $COMP_WORDBREAKS = *=* ]] || before=${word%%=*}=
                case $word in
                --exclude-from=*) mapfile -t candidates < <(compgen -W 'rsync borg restic' -- "${word#*=}") ;;
                --snapshot-dir=*) mapfile -t candidates < <(compgen -d -- "${word#*=}") ;;
                --prometheus=*) mapfile -t candidates < <(compgen -f -- "${word#*=}") ;;
                *) return ;;
                esac
                compopt -o filenames
                COMPREPLY=("${candidates[@]/#/$before}")
                ;;
        -*)
                case ${COMP_WORDS[1]} in
                list) options='--json --exclude-from= -x --one-file-system --snapshot-dir= --busy-timeout=' ;;
                copy) options='--verify --accept-quiet= --snapshot-dir= --busy-timeout=' ;;
                check) options='--json -x --one-file-system --quick -j --jobs= --accept-quiet= --snapshot-dir= --busy-timeout=' ;;
                restore) options='--quick -f --force -n --dry-run --accept-quiet= --snapshot-dir= --busy-timeout=' ;;
                status) options='--json --prometheus=' ;;
                *) return ;;
                esac
                mapfile -t COMPREPLY < <(compgen -W "$options -h --help -V --version" -- "$word")
                [[ ${COMPREPLY[*]} != *= ]] || compopt -o nospace
                ;;
        *)
                compopt -o filenames
                if [ "${COMP_WORDS[1]}" = status ]; then
                        mapfile -t COMPREPLY < <(compgen -d -- "$word")
                else
                        mapfile -t COMPREPLY < <(compgen -f -- "$word")
                fi
                ;;
        esac
}

complete -F _litesnap litesnap
