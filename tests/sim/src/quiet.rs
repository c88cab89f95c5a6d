//! Keeps panics quiet: most are the control domain that ends its machine, and the others are
//! told once it is known which script it was; `SIM_LOUD=1` in the environment lets all be heard. A
//! panic within a panic ends the process, so that
//! one is told at once.

use std::cell::{Cell, RefCell};
use std::panic;

thread_local! {
    static SEED: Cell<u64> = const { Cell::new(0) };
    static PANICS: Cell<u32> = const { Cell::new(0) };
    static FIRST: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Notes what this thread runs next.
pub fn about(seed: u64) {
    SEED.set(seed);
    PANICS.set(0);
    FIRST.with_borrow_mut(String::clear);
}

/// Installs the hook.
pub fn install() {
    let loud = std::env::var_os("SIM_LOUD").is_some();
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        PANICS.set(PANICS.get() + 1);
        let text = format!("{info}");
        let last = text.contains("during cleanup") || text.contains("cannot unwind");
        if last {
            eprintln!("seed {}: {}", SEED.get(), FIRST.with_borrow(Clone::clone));
        }
        if loud || last {
            usual(info);
        }
        if PANICS.get() <= 2 {
            FIRST.with_borrow_mut(|first| *first = format!("{first}{text}\n"));
        }
    }));
}
