//! The command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Without one of its threads a program looks alive and does half its work. Whoever watches over it starts it anew, and
    // forwarding goes on meanwhile.
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        tell(panic);
        std::process::abort();
    }));
    tenet::cli::main()
}
