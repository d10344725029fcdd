# Completion of pingstate for bash. Generated from src/cli/flags.rs.

_pingstate() {
    local word=${COMP_WORDS[COMP_CWORD]} flag=${COMP_WORDS[COMP_CWORD - 1]}
    # Bash divides --flag=value into three words.
    if [[ $word == = ]]; then
        word=
    elif [[ $flag == = ]]; then
        flag=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    COMPREPLY=()
    case $flag in
        --protocol)
            mapfile -t COMPREPLY < <(compgen -W 'tcp http https tls icmp exec dns heartbeat' -- "$word")
            return
            ;;
        --webhook-format)
            mapfile -t COMPREPLY < <(compgen -W 'json text' -- "$word")
            return
            ;;
        --notify)
            mapfile -t COMPREPLY < <(compgen -W 'down all' -- "$word")
            return
            ;;
        --api-page)
            mapfile -t COMPREPLY < <(compgen -W 'on off' -- "$word")
            return
            ;;
        --log-format)
            mapfile -t COMPREPLY < <(compgen -W 'auto plain time journal' -- "$word")
            return
            ;;
        --body-file | --basic-auth-file | --header-file | --ca-file | --cert | --key | --token-file | \
                --webhook-header-file | --api-token-file | --state-file | --push-header-file | --config)
            compopt -o filenames
            mapfile -t COMPREPLY < <(compgen -f -- "$word")
            return
            ;;
        --on-change)
            mapfile -t COMPREPLY < <(compgen -c -- "$word")
            return
            ;;
        --address | --port | --path | --name | --check | --timeout | --retries | --retry-interval | --send | \
                --method | --body | --header | --max-body | --cert-days | --pin | --tls-name | --connect-to | \
                --grace | --ping-count | --ping-interval | --ping-required | --ping-loss | --ping-ttl | --ping-size | \
                --interface | --source | --fwmark | --family | --dns | --interval | --interval-down | \
                --interval-fast | --fall | --rise | --slow | --slow-clear | --group | --depends | --hook-timeout | \
                --webhook | --webhook-text-key | --remind | --api-host | --api-port | --api-allow-host | --api-frame | \
                --dns-hold | --history-days | --state-interval | --push-url | --push-interval | --alive-url | \
                --alive-interval)
            return
            ;;
    esac
    case $word in
        -*)
            mapfile -t COMPREPLY < <(compgen -W '--protocol --address --port --path --name --check --timeout --retries --retry-interval --send
                --half-open --method --body --body-file --basic-auth-file --header --header-file --max-body
                --no-redirect --ca-file --ca-only --no-verify-tls --cert-days --pin --tls-name --cert --key
                --connect-to --grace --token-file --ping-count --ping-interval --ping-required --ping-loss
                --ping-ttl --ping-size --dns-tcp --interface --source --fwmark --family --dns --interval
                --interval-down --interval-fast --fall --rise --slow --slow-clear --paused --group --depends
                --private --on-change --hook-timeout --webhook --webhook-format --webhook-text-key
                --webhook-header-file --notify --remind --hook-first --api-host --api-port --api-allow-host
                --api-token-file --api-token-reads --api-page --api-frame --dns-hold --history-days --state-file
                --state-interval --log-format --push-url --push-interval --push-header-file --alive-url
                --alive-interval --config --check-config --test-notify --once --json -h --help -V --version' -- "$word")
            ;;
        *)
            compopt -o nospace
            mapfile -t COMPREPLY < <(compgen -W 'tcp:// http:// https:// tls:// icmp:// exec: dns: heartbeat:' -- "$word")
            ;;
    esac
}

complete -F _pingstate pingstate
