//! Sessions and their cookie.

use crate::config::definition::settings;
use crate::config::values::{Bytes, CookieDomain, CookiePrefix, HostPath, SameSite, SessionStore, Span};

settings! {
    /// How long people stay signed in. A session ends when it was not used for its idle time, and at the
    /// latest when its absolute time is over, whichever comes first.
    pub struct Sessions {
        /// Where sessions live. `directory`: in the same database as people. `sqlite`: in the data directory of each
        /// node. `memory`: a restart ends them. Or the address of a store that nodes share: `postgres://…`,
        /// `redis://…`, `redis+sentinel://…`, `redis+cluster://…`, `memcached://…`, `nats://…`. `docs/cluster.md`
        /// helps to choose.
        store: SessionStore = "directory";

        /// A session that was not used for this long is over. Not longer than `absolute`.
        idle: Span = "30m" in "1s" ..= "3650d";

        /// A session is over after this time, however much it is used.
        absolute: Span = "24h" in "1s" ..= "3650d";

        /// What `absolute` is for people who chose to be remembered.
        remember: Span = "30d" in "1s" ..= "3650d";

        /// What `idle` is for people who chose to be remembered. Not longer than `remember`.
        remember_idle: Span = "14d" in "1s" ..= "3650d";

        /// What `idle` is for guests: sessions that nobody signed in to yet. Not longer than
        /// `guest_absolute`.
        guest_idle: Span = "2h" in "1s" ..= "3650d";

        /// What `absolute` is for guests.
        guest_absolute: Span = "7d" in "1s" ..= "3650d";

        /// The use of a session is written down at most once in this share of its idle time, in percent. A
        /// larger share means fewer writes, and sessions that may end this much earlier than `idle` says.
        renew_percent: u32 = "5" in "1" ..= "50";

        /// How many sessions one person may have at the same time; a new one ends the one that was not used
        /// for longest.
        per_person: u32 = "100" in "1" ..= "1000";

        /// How much memory the cache of sessions may take.
        cache: Bytes = "64MiB" in "1MiB" ..= "64GiB";

        /// With `nats://…`, where every node holds every session: for so long a node that reaches no broker goes on
        /// answering from memory. What other nodes end meanwhile is not known to it.
        stale: Span = "30s" in "0s" ..= "1h";

        /// How much data applications may keep in one session.
        data_limit: Bytes = "64KiB" in "1KiB" ..= "64KiB";

        /// How recently somebody must have proved who they are to change something sensitive.
        fresh: Span = "10m" in "10s" ..= "24h";

        /// Where a session may travel in the URL, for browsers without cookies: hosts with or without a path,
        /// such as `legacy.example.com/app`. Addresses leak, into logs and by being passed on, so it is off
        /// unless listed here, and only for hosts that are protected apps or Gateward's own.
        url_transport: Vec<HostPath> = "";
    }
}

settings! {
    /// The session cookie. It is always `HttpOnly`, and `Secure` on https. On https it is called
    /// `__Host-gateward`, with a `domain` it is `__Secure-gateward`, and on plain http on this machine
    /// `gateward`. Combinations that browsers refuse are errors at start.
    pub struct Cookie {
        /// With what the name of the session cookie, `gateward`, begins. `auto` is the strictest that fits: `__Host-`
        /// on https, `__Secure-` when `domain` is set, and nothing on plain http. `__Host-` contradicts `domain`, and
        /// both prefixes need https.
        prefix: CookiePrefix = "auto";

        /// The domain whose sub-domains share the cookie. Every one of them can then read and replace it, so
        /// set it only when all of them are yours. It must be the host of `public_url` or a parent of it, on
        /// https.
        domain: Option<CookieDomain> = "";

        /// Whether browsers send the cookie when another site causes the request: `strict` never, `lax` when
        /// somebody follows a link, `none` always (for pages in foreign frames; https only).
        same_site: SameSite = "lax";

        /// Keeps a cookie of its own for each site that frames the pages (CHIPS); https only.
        partitioned: bool = "false";

        /// Whether the cookie of people who did not choose to be remembered ends with the browser. The
        /// session itself ends by its times all the same.
        browser_session: bool = "true";
    }
}
