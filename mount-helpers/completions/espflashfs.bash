# bash completion for espflashfs. Sourced; names nothing but _espflashfs and what begins so.

# Options that take a value, then those that do not.
_espflashfs_valued='port baud chip before after custom_reset_sequence stub size cache cache_size
    journal reconnect partition_offset log'
_espflashfs_flags='ro force foreground debug probe list help version'
_espflashfs_fuse='allow_other allow_root auto_unmount umask= uid= gid= noexec'

# Cheap on purpose: no port is opened.
_espflashfs_ports() {
    local port
    for port in /dev/serial/by-id/* /dev/ttyUSB* /dev/ttyACM*; do
        [[ ! -e $port ]] || echo "$port"
    done
    printf '%s\n' socket:// rfc2217:// hwid=
}

# _espflashfs_values NAME BEGINNING: a candidate a line.
_espflashfs_values() {
    case $1 in
    baud) printf '%s\n' auto 115200 460800 921600 1500000 2000000 3000000 ;;
    chip)
        printf '%s\n' auto esp8266 esp32 esp32s2 esp32s3 esp32c2 esp32c3 esp32c5 esp32c6 esp32c61 \
            esp32h2 esp32p4
        ;;
    before) printf '%s\n' default-reset usb-reset no-reset no-reset-no-sync ;;
    after) printf '%s\n' hard-reset no-reset no-reset-stub ;;
    size) printf '%s\n' 1M 2M 4M 8M 16M 32M ;;
    stub) printf '%s\n' auto rom "$(compgen -f -- "$2")" ;;
    cache | journal) printf '%s\n' none "$(compgen -d -- "$2")" ;;
    log) compgen -f -- "$2" ;;
    port) _espflashfs_ports ;;
    esac
}

_espflashfs_behind() {
    local value
    while IFS= read -r value; do
        [[ -z $value ]] || echo "$1$value"
    done
}

# What may follow -o: names as FUSE writes them, their values behind them.
_espflashfs_mount_words() {
    local last=${1##*,} name
    local before=${1%"$last"}
    if [[ $last == *=* ]]; then
        name=${last%%=*}
        _espflashfs_values "$name" "${last#*=}" | _espflashfs_behind "$before$name="
        return
    fi
    for name in $_espflashfs_valued; do echo "$before$name="; done
    for name in ro force foreground debug $_espflashfs_fuse; do echo "$before$name"; done
}

_espflashfs_candidates() {
    local word=$1 previous=$2 name
    case $previous,$word in
    -o,*) _espflashfs_mount_words "$word" ;;
    -p,*) _espflashfs_ports ;;
    -b,*) _espflashfs_values baud "$word" ;;
    *,--*=*)
        name=${word%%=*}
        _espflashfs_values "${name#--}" "${word#*=}" | _espflashfs_behind "$name="
        ;;
    *,-*)
        printf '%s\n' -p -b -f -d -h -V -o
        for name in $_espflashfs_valued; do echo "--$name="; done
        for name in $_espflashfs_flags; do echo "--$name"; done
        ;;
    *)
        _espflashfs_ports
        compgen -d -- "$word"
        ;;
    esac
}

_espflashfs() {
    # Not the words that bash has cut up at each = and :.
    local line=${COMP_LINE:0:COMP_POINT} previous reply cut=''
    local word=${line##*[[:space:]]}
    line=${line%"$word"}
    line=${line%"${line##*[![:space:]]}"}
    previous=${line##*[[:space:]]}
    COMPREPLY=()
    # But bash puts what is chosen in place of the last of them only.
    [[ $COMP_WORDBREAKS != *=* || $word != *=* ]] || cut=${word%"${word##*=}"}
    [[ $COMP_WORDBREAKS != *:* || ${word#"$cut"} != *:* ]] || cut=${word%"${word##*:}"}
    while IFS= read -r reply; do
        [[ -z $reply || $reply != "$word"* ]] || COMPREPLY+=("${reply#"$cut"}")
    done < <(_espflashfs_candidates "$word" "$previous")
    [[ ${#COMPREPLY[@]} != 1 || ${COMPREPLY[0]} != *[=/] ]] || compopt -o nospace 2>/dev/null
    [[ $word == -* || $previous == -o ]] || compopt -o filenames 2>/dev/null
}

complete -F _espflashfs espflashfs
