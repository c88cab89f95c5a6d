//! Exceptions for the guest.

use crate::cx::Cx;
use machine::hvm::{Event, EventKind, HvmApi, Reg};
use x86_emulate::Trap;

/// Whether an exception while another is delivered makes a double fault of the two (Intel SDM
/// 3A, table 6-5).
fn doubles(first: u8, second: u8) -> bool {
    let contributory = |vector| matches!(vector, 0 | 10..=13);
    contributory(first) && contributory(second)
        || first == 14 && (contributory(second) || second == 14)
}

/// Injects an exception, or what comes of it when another was on its way. `false` for a triple
/// fault.
pub fn exception(cx: &mut Cx, vector: u8, error: Option<u32>) -> bool {
    let Some(hvm) = &mut cx.st.hvm else {
        return true;
    };
    let new = match hvm.state.event() {
        Some(first) if first.kind == EventKind::Exception => {
            if first.vector == 8 {
                return false;
            }
            if doubles(first.vector, vector) {
                Event::exception(8, Some(0))
            } else {
                Event::exception(vector, error)
            }
        }
        // An interrupt that was taken off the APIC goes back. An upcall's flag still stands.
        Some(first) if first.kind == EventKind::Interrupt => {
            hvm.lapic.put_back(first.vector);
            hvm.look = true;
            Event::exception(vector, error)
        }
        _ => Event::exception(vector, error),
    };
    hvm.state.set_event(Some(new));
    true
}

/// Injects what an emulated instruction led to.
pub fn trap(cx: &mut Cx, trap: Trap) -> bool {
    if trap.vector == 14
        && let Some(hvm) = &mut cx.st.hvm
    {
        hvm.state.set(Reg::Cr2, trap.cr2);
    }
    exception(cx, trap.vector, trap.error)
}
