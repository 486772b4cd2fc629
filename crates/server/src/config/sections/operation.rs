//! What the operator of the machine decides.

use std::path::PathBuf;

use crate::config::definition::settings;
use crate::config::values::{
    Bytes, ClientCertificates, DirectoryStore, HeaderField, LogFormat, LogLevel, OutboundTarget, Span,
};

settings! {
    /// Serving https without a proxy, and the certificates of clients (RFC 8705). The files of certificate and key are
    /// set both or none; all files are read again when they change.
    pub struct Tls {
        /// The file of the certificate and its chain, in PEM.
        certificate: Option<PathBuf> = "";

        /// The file of the private key, in PEM.
        key: Option<PathBuf> = "";

        /// Whether clients are asked for a certificate in the handshake, to authenticate with it or to bind tokens to
        /// it. With `optional` any is taken whose key the client has, and what it is worth is judged later.
        /// Browsers that hold a certificate ask their person which to show.
        client_certificates: ClientCertificates = "off";

        /// The file of the authorities, in PEM, that may vouch for the certificates of clients which authenticate by
        /// `tls_client_auth`. Intermediate authorities that clients do not send belong into it, too. Without it
        /// only self-signed certificates count, by the key that the client has registered.
        client_ca_file: Option<PathBuf> = "";

        /// The header in which a proxy that ends TLS tells the certificate of the client: `X-Client-Cert` with
        /// percent-encoded PEM (`$ssl_client_escaped_cert` of nginx), `Client-Cert` as in RFC 9440, or any with bare
        /// base64. It counts only from `trusted_proxies`; each of them must set it or take it out of every request.
        client_certificate_header: Option<HeaderField> = "";
    }
}

settings! {
    /// What one request and one connection may take. More than that is refused before it costs anything.
    pub struct Limits {
        /// The largest head of a request: request line and headers together.
        header: Bytes = "32KiB" in "4KiB" ..= "256KiB";

        /// The most headers of a request.
        headers: u32 = "100" in "16" ..= "1000";

        /// The largest body of a request. Not smaller than `sessions.data_limit`.
        body: Bytes = "128KiB" in "1KiB" ..= "16MiB";

        /// The time in which the head of a request must have arrived.
        header_time: Span = "10s" in "1s" ..= "5m";

        /// The time in which a request must be answered.
        request_time: Span = "30s" in "1s" ..= "10m";

        /// A connection without a request is closed after this time. It should be longer than that of the
        /// proxy in front.
        idle_time: Span = "75s" in "1s" ..= "1h";

        /// The most connections at the same time; further ones wait.
        connections: u32 = "10000" in "1" ..= "1000000";

        /// How long requests may take to finish when the server is told to stop.
        shutdown_time: Span = "20s" in "0s" ..= "10m";
    }
}

settings! {
    /// What Gateward asks of other servers because a client or its registration names their address: keys, logos,
    /// documents, logout. Only https and only public addresses are asked; what is set here is an exception from that, and
    /// is told at every start.
    pub struct Outbound {
        /// Servers that are asked though they are on this machine or in a private network. With `http://` before it,
        /// one is asked by plain http.
        allow: Vec<OutboundTarget> = "";

        /// A file of authorities, in PEM, whose certificates count besides those the system trusts.
        ca_file: Option<PathBuf> = "";
    }
}

settings! {
    /// What is written to standard error while the server runs. No line ever holds a secret.
    pub struct Log {
        /// How lines look: `text`, `json`, or `auto`, which is text on a terminal and JSON elsewhere.
        format: LogFormat = "auto";

        /// How much is logged: only this level and worse.
        level: LogLevel = "info";
    }
}

settings! {
    /// The record of what happened to people, sessions and settings.
    pub struct Audit {
        /// How long events are kept.
        keep: Span = "365d" in "24h" ..= "36500d";
    }
}

settings! {
    /// Where people live, and with them everything else that must not be lost: grants, keys, audit events.
    pub struct Directory {
        /// `sqlite`: the database in the data directory. Or `postgres://…`, which several nodes can share.
        store: DirectoryStore = "sqlite";
    }
}

settings! {
    /// The key that protects everything else that is secret at rest.
    pub struct Secrets {
        /// The file of the 32-byte root key. When it is not set it is `root.key` in the data directory, made
        /// at the first start. Kept on another disk, it makes a stolen copy of the data directory worthless.
        root_key_file: Option<PathBuf> = "";
    }
}
