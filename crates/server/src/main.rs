//! The program `gateward`.

use std::process::ExitCode;

/// Better than the system's with many small allocations on several threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    gateward::cli::run()
}
