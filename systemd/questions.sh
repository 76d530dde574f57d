# shellcheck shell=sh
# The questions of the first installation. install.sh reads this file, and so does the Makefile, to ask
# before it builds the bundle.

# ask_for_settings OPTION…: asks on the terminal for camera, broker, name and dashboard, except for those
# in the options of install.sh, and exports the answers for install.sh. Asks nothing without a terminal,
# with `--config` or `uninstall`, and if there is a configuration already.
ask_for_settings() {
    if [ ! -t 0 ] || [ -e /etc/mask-patrol/mask-patrol.toml ] || [ -n "${MASK_PATROL_SETUP_ASKED-}" ]; then
        return 0
    fi
    given=" $* "
    case $given in
    *' --config '* | *' uninstall '* | *' --help '* | *' -h '*) return 0 ;;
    esac
    cat >&2 <<'TEXT'
A few questions first; Enter takes the answer in brackets. All answers can be changed later in
/etc/mask-patrol/mask-patrol.toml.

TEXT
    case $given in
    *' --camera '*) ;;
    *)
        say_on_terminal "The camera: picamera2 (a Raspberry Pi's camera module), /dev/video0 (USB), or an address"
        found=$(found_camera)
        if [ -z "$found" ]; then say_on_terminal 'No camera is connected; Enter leaves it for later'; fi
        answer 'Camera' "$found"
        export MASK_PATROL_SETUP_CAMERA="$answer"
        ;;
    esac
    case $given in
    *' --broker '*) ;;
    *)
        say_on_terminal 'The MQTT broker, which passes the alerts on: "here" sets one up on this device;'
        say_on_terminal 'or the name or address of yours, as HOST or HOST:PORT'
        answer 'Broker' here
        export MASK_PATROL_SETUP_BROKER="$answer"
        if [ "$answer" != here ]; then
            ask_for_login 'User name at the broker, if it needs one' MASK_PATROL_SETUP_
        fi
        ;;
    esac
    case $given in
    *' --name '*) ;;
    *)
        say_on_terminal 'The name of this door for people, such as Front door'
        answer 'Name' "$(uname -n)"
        if [ "$answer" != "$(uname -n)" ]; then export MASK_PATROL_SETUP_NAME="$answer"; fi
        ;;
    esac
    case $given in
    *' --dashboard '*) ;;
    *)
        say_on_terminal 'The dashboard shows the alerts to browsers in your network, after a log-in'
        while :; do
            answer 'Dashboard (yes or no)' yes
            case $answer in
            [Yy] | [Yy]es | YES)
                export MASK_PATROL_SETUP_DASHBOARD=network
                break
                ;;
            [Nn] | [Nn]o | NO) break ;;
            esac
        done
        ;;
    esac
    # --screen without a link shows the dashboard of this device.
    case "$given${MASK_PATROL_SETUP_DASHBOARD:+ --dashboard }" in
    *' --dashboard '* | *' --screen -'* | *' --screen ') ask_for_dashboard_login ;;
    esac
    export MASK_PATROL_SETUP_ASKED=yes
}

# The dashboard reads only; with the account of this device it could publish events. A broker that asks
# nobody for a log-in does not ask the dashboard either.
ask_for_dashboard_login() {
    if [ -z "${MASK_PATROL_SETUP_USERNAME-}" ]; then return 0; fi
    say_on_terminal 'The dashboard has an account of its own at the broker, which only reads; Enter leaves it'
    say_on_terminal 'for later, and the dashboard without alerts until then'
    ask_for_login 'User name of the dashboard' MASK_PATROL_SETUP_DASHBOARD_
}

# ask_for_login QUESTION PREFIX: asks for a user name and its password, and exports them.
ask_for_login() {
    answer "$1" ''
    if [ -z "$answer" ]; then return 0; fi
    export "$2USERNAME=$answer"
    trap 'stty echo; exit 130' INT
    stty -echo
    answer 'Password' ''
    stty echo
    trap - INT
    say_on_terminal ''
    export "$2PASSWORD=$answer"
}

# answer QUESTION DEFAULT: asks, and sets `answer`; an empty answer is the default.
answer() {
    printf '%s%s: ' "$1" "${2:+ [$2]}" >&2
    if ! IFS= read -r answer; then
        stty echo
        say_on_terminal ''
        exit 2
    fi
    answer=${answer:-$2}
}

say_on_terminal() { printf '%s\n' "$*" >&2; }

# Prints the camera that is connected: the first one on USB, else the camera module of a Raspberry Pi.
found_camera() {
    for camera in /dev/v4l/by-id/*-video-index0; do
        if [ -e "$camera" ]; then
            readlink -f "$camera"
            return 0
        fi
    done
    if grep -qs 'Raspberry Pi' /proc/device-tree/model; then echo picamera2; fi
}
