#!/usr/bin/env bash
# A site behind a real nginx, protected by Gateward, on this machine only. Ctrl-C ends everything and leaves nothing behind.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
gateward="${GATEWARD:-$here/../../target/release/gateward}"
nginx="$(command -v nginx || command -v /usr/sbin/nginx || true)"

if [ -z "$nginx" ]; then
    echo "nginx is not installed. On Debian: apt-get install nginx" >&2
    exit 1
fi
if [ ! -x "$gateward" ]; then
    (cd "$here/../.." && cargo build --release --locked)
fi
# The working directory may have a gateward.toml of its own, and the environment settings: not for this.
unset "${!GATEWARD_@}"

room="$(mktemp -d)"
pids=()
leave() {
    trap - EXIT INT TERM
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$room"
}
trap leave EXIT
trap 'exit 0' INT TERM

chmod 755 "$room"
mkdir "$room/temporary"
cd "$room"
cp "$here/gateward.toml" "$here/nginx.conf" .
"$gateward" proxy nginx | sed 's/^\( *listen \)/\1127.0.0.1:/' > gateward.conf

password="$(od -An -N9 -tx1 /dev/urandom | tr -d ' \n')"
printf %s "$password" | "$gateward" user add ann --email ann@example.com --display-name "Ann Example" --admin --password-stdin > user.log

"$gateward" > gateward.log 2>&1 &
pids+=($!)
"$nginx" -p "$room" -e stderr -c "$room/nginx.conf" > nginx.log 2>&1 &
pids+=($!)

for _ in $(seq 100); do
    kill -0 "${pids[@]}" 2>/dev/null || { cat gateward.log nginx.log >&2; exit 1; }
    curl --silent --fail --output /dev/null http://localhost:8000/healthz && break
    sleep 0.1
done

cat <<TEXT
A protected site is running:

  http://localhost:8001/          who is signed in
  http://localhost:8001/public/   everyone
  http://localhost:8001/admin/    members of the group admins
  http://localhost:8000/account   my sessions
  http://localhost:8000/admin     the people

  user name: ann
  password:  $password

Ctrl-C ends it.
TEXT
wait -n "${pids[@]}" || true
cat gateward.log nginx.log >&2
exit 1
