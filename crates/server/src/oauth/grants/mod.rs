//! The grants: one file each, which says what it takes and what comes of it.

pub mod code;
pub mod credentials;
pub mod device;
pub mod exchange;
pub mod jwt_bearer;
pub mod refresh;
