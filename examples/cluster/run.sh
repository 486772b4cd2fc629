#!/usr/bin/env bash
# Three nodes of Gateward behind nginx, on this machine, over the engine of a strategy. Started by ../cluster-*/start.sh.
#
# Everything listens on loopback only, lives below one directory, and ends with this script (Ctrl-C). Nothing is installed.
set -eu

example=$1
here=$(cd "$(dirname "$0")" && pwd)
settings=$here/../$example
state=${CLUSTER_DATA:-$PWD/cluster-data}/$example
gateward=${GATEWARD:-$here/../../target/release/gateward}
started=

need() {
    for program; do
        PATH=$PATH:/usr/sbin:/usr/local/sbin command -v "$program" >/dev/null 2>&1 || {
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

# Waits until something accepts connections there.
await() {
    tries=0
    until (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; do
        tries=$((tries + 1))
        [ "$tries" -lt 200 ] || {
            echo "nothing answers on port $1: see the logs in $state" >&2
            exit 1
        }
        sleep 0.1
    done
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
    fi
    if [ ! -e "$state/postgres/PG_VERSION" ]; then
        (cd / && $as initdb --auth=trust --username=gateward -D "$state/postgres" >"$state/initdb.log" 2>&1)
    fi
    (cd / && exec $as postgres -D "$state/postgres" -h 127.0.0.1 -p 8110 -k '') >"$state/postgres.log" 2>&1 &
    started="$! $started"
    echo "postgres: process $!, log $state/postgres.log"
    await 8110
}

mkdir -p "$state"
state=$(cd "$state" && pwd)
# Others may pass through to what is theirs, such as the user who runs PostgreSQL.
chmod 711 "$state"
[ -x "$gateward" ] || {
    echo "there is no $gateward: cargo build --release, or GATEWARD=/path/to/gateward $0" >&2
    exit 1
}
need nginx
postgres
case $example in
cluster-shared)
    need redis-server
    run redis redis-server --bind 127.0.0.1 --port 8111 --dir "$state" --appendonly yes --save '' --maxmemory-policy noeviction
    await 8111
    ;;
cluster-memcached)
    need memcached
    run memcached-1 memcached -u nobody -l 127.0.0.1 -p 8111 -m 64
    run memcached-2 memcached -u nobody -l 127.0.0.1 -p 8112 -m 64
    await 8111
    await 8112
    ;;
cluster-replicated)
    need nats-server
    for number in 1 2 3; do
        run "nats-$number" nats-server --name "nats-$number" --addr 127.0.0.1 --port "811$number" \
            --jetstream --store_dir "$state/nats-$number" --cluster_name gateward \
            --cluster "nats://127.0.0.1:812$number" \
            --routes nats://127.0.0.1:8121,nats://127.0.0.1:8122,nats://127.0.0.1:8123
    done
    for number in 1 2 3; do
        await "811$number"
    done
    ;;
esac

port=8101
for node in a b c; do
    GATEWARD_NODE=$node GATEWARD_SECRETS__ROOT_KEY_FILE=$state/root.key \
        run "node-$node" "$gateward" --config "$settings/gateward.toml" --listen "127.0.0.1:$port" --data "$state/node-$node"
    # The first node makes the root key and the tables.
    await "$port"
    port=$((port + 1))
done
mkdir -p "$state/nginx"
run nginx nginx -p "$state/nginx" -c "$settings/nginx.conf" -e stderr -g 'daemon off;'
await 8100

grep -h -A 4 'no administrator' "$state"/node-*.log || true
echo
echo "Gateward answers on http://localhost:8100/. Kill nodes by their process as you like; Ctrl-C ends everything."
wait
