#!/usr/bin/env bash
# Three nodes of Gateward behind a proxy, on this machine, over the engine of a strategy. Started by ../cluster-*/start.sh.
#
# Everything listens on loopback only, lives below one directory, and ends with this script (Ctrl-C). Nothing is installed. What is
# kept there is found again at the next start.
#
#   GATEWARD      the program                                     ../../target/release/gateward
#   PROXY         nginx or haproxy; sticky also nginx-ip-hash     nginx
#   PORTS         what stands before the last two digits of all   81
#                 ports: they are 8100 to 8123
#   CLUSTER_DATA  the directory                                   ./cluster-data
set -eu

example=$1
here=$(cd "$(dirname "$0")" && pwd)
settings=$here/../$example
state=${CLUSTER_DATA:-$PWD/cluster-data}/$example
gateward=${GATEWARD:-$here/../../target/release/gateward}
proxy=${PROXY:-nginx}
ports=${PORTS:-81}
started=
# The environment may have settings of another Gateward: not for this.
unset "${!GATEWARD_@}"
# Where servers are that the path of an ordinary user leaves out.
PATH=$PATH:/usr/sbin:/usr/local/sbin

need() {
    for program; do
        command -v "$program" >/dev/null 2>&1 || {
            echo "$program is not installed" >&2
            exit 1
        }
    done
}

# Starts a program, remembers its process, and writes what it prints into a log.
run() {
    name=$1
    shift
    "$@" >"$state/$name.log" 2>&1 &
    started="$! $started"
    echo "$name: process $!, log $state/$name.log"
}

# Tries a command again and again, until it succeeds.
await() {
    tries=0
    until "$@" 2>/dev/null; do
        tries=$((tries + 1))
        [ "$tries" -lt 300 ] || {
            echo "in vain: $*; see the logs in $state" >&2
            exit 1
        }
        sleep 0.1
    done
}

# Whether something accepts connections there.
accepts() {
    (exec 3<>"/dev/tcp/127.0.0.1/$1")
}

# Whether a Gateward there has all that it needs.
ready() {
    (exec 3<>"/dev/tcp/127.0.0.1/$1" && printf 'GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n' >&3 && head -n 1 <&3 | grep -q ' 200 ')
}

# A file of the example, with the ports chosen.
render() {
    sed -E "s/:81([0-9]{2})\\b/:$ports\\1/g" "$1"
}

stop() {
    trap - EXIT INT TERM
    for process in $started; do
        kill "$process" 2>/dev/null || true
    done
    wait
}
trap stop EXIT
trap 'exit 0' INT TERM

postgres() {
    bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -n 1)
    PATH=${bin:-/nowhere}:$PATH
    need initdb postgres
    # PostgreSQL refuses to run as root.
    as=
    mkdir -p "$state/postgres"
    if [ "$(id -u)" = 0 ]; then
        need setpriv
        as="setpriv --reuid=postgres --regid=postgres --clear-groups"
        chown postgres "$state/postgres"
        $as test -w "$state/postgres" || {
            echo "the user postgres cannot get to $state: set CLUSTER_DATA to a directory that others may pass through" >&2
            exit 1
        }
    fi
    if [ ! -e "$state/postgres/PG_VERSION" ]; then
        (cd / && $as initdb --auth=trust --username=gateward -D "$state/postgres" >"$state/initdb.log" 2>&1)
    fi
    (cd / && exec $as postgres -D "$state/postgres" -h 127.0.0.1 -p "${ports}10" -k '') >"$state/postgres.log" 2>&1 &
    started="$! $started"
    echo "postgres: process $!, log $state/postgres.log"
    await accepts "${ports}10"
}

mkdir -p "$state"
state=$(cd "$state" && pwd)
# Others may pass through to what is theirs, such as the user who runs PostgreSQL.
chmod 711 "$state"
[ -x "$gateward" ] || {
    echo "there is no $gateward: cargo build --release, or GATEWARD=/path/to/gateward $0" >&2
    exit 1
}
need "${proxy%%-*}"
postgres
case $example in
cluster-shared)
    need redis-server
    run redis redis-server --bind 127.0.0.1 --port "${ports}11" --dir "$state" --appendonly yes --save '' --maxmemory-policy noeviction
    await accepts "${ports}11"
    ;;
cluster-memcached)
    need memcached
    run memcached-1 memcached -u nobody -l 127.0.0.1 -p "${ports}11" -m 64
    run memcached-2 memcached -u nobody -l 127.0.0.1 -p "${ports}12" -m 64
    await accepts "${ports}11"
    await accepts "${ports}12"
    ;;
cluster-replicated)
    need nats-server
    for number in 1 2 3; do
        run "nats-$number" nats-server --name "nats-$number" --addr 127.0.0.1 --port "${ports}1$number" \
            --jetstream --store_dir "$state/nats-$number" --cluster_name gateward \
            --cluster "nats://127.0.0.1:${ports}2$number" \
            --routes "nats://127.0.0.1:${ports}21,nats://127.0.0.1:${ports}22,nats://127.0.0.1:${ports}23"
    done
    for number in 1 2 3; do
        await accepts "${ports}1$number"
    done
    ;;
esac

render "$settings/gateward.toml" >"$state/gateward.toml"
number=1
for node in a b c; do
    GATEWARD_NODE=$node GATEWARD_SECRETS__ROOT_KEY_FILE=$state/root.key \
        run "node-$node" "$gateward" --config "$state/gateward.toml" --listen "127.0.0.1:${ports}0$number" --data "$state/node-$node"
    # The first node makes the root key and the tables.
    await ready "${ports}0$number"
    number=$((number + 1))
done

# The proxy of this strategy, or the one of all in which any node will do.
case $proxy in
haproxy) file=haproxy.cfg ;;
*) file=$proxy.conf ;;
esac
from=$settings/$file
[ -e "$from" ] || from=$here/$file
[ -e "$from" ] || {
    echo "there is no configuration $file" >&2
    exit 1
}
render "$from" >"$state/$file"
case $proxy in
haproxy)
    run haproxy haproxy -db -f "$state/$file"
    ;;
*)
    mkdir -p "$state/nginx"
    run nginx nginx -p "$state/nginx" -c "$state/$file" -e stderr -g 'daemon off;'
    ;;
esac
await ready "${ports}00"

grep -h -A 4 'no administrator' "$state/node-a.log" || true
cat <<TEXT
Commands work beside it:

    GATEWARD_SECRETS__ROOT_KEY_FILE=$state/root.key $gateward --config $state/gateward.toml --data $state/node-a user list

TEXT
echo "Gateward answers on http://localhost:${ports}00/. Kill nodes by their process as you like; Ctrl-C ends everything."
wait
