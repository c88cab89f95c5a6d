//! Keys for whoever looks for a fault: typed at the console, or sent by `xl debug-keys`.
//!
//! Owns which CPUs were asked for their registers. A report takes locks only by trying, but for
//! those of a CPU's timers and of an interrupt line, which are held for moments.

mod cpus;
mod domains;
mod machine;

#[cfg(test)]
mod tests;

pub use cpus::{Asked, answer, show_registers};

use crate::cx::Cx;
use crate::fail::HyperResult;
use crate::guest::GuestPtr;
use crate::hv::Hypervisor;
use crate::say;
use ::machine::Cpu;
use xen_abi::sysctl::SysctlDebugKeys;

/// What a key does.
type Report = fn(&Hypervisor, &mut Cpu);

/// A key, what it does in words, whether `*` does it too, and what it does.
type Key = (u8, &'static str, bool, Report);

const KEYS: &[Key] = &[
    (b'*', "all reports that change nothing", false, all),
    (
        b'0',
        "the control domain's registers",
        true,
        domains::control_registers,
    ),
    (
        b'C',
        "end the hypervisor as by a fault of its own",
        false,
        machine::crash,
    ),
    (b'H', "the heap of free memory", true, machine::heap),
    (
        b'M',
        "message-signalled interrupts",
        false,
        machine::interrupts,
    ),
    (b'R', "reboot the machine", false, machine::reboot),
    (
        b'V',
        "what devices were not allowed by the IOMMU, and forget it",
        false,
        machine::device_faults,
    ),
    (b'a', "when timers are due", true, machine::timers),
    (b'd', "registers of all CPUs", true, cpus::all),
    (b'e', "event channels", true, domains::events),
    (b'g', "grants in use", true, domains::grants),
    (b'h', "this help", false, help),
    (b'i', "interrupts", true, machine::interrupts),
    (b'm', "memory", true, machine::memory),
    (b'q', "domains and their vCPUs", true, domains::list),
    (
        b'r',
        "pools, queues, where vCPUs run and where their time goes",
        true,
        domains::run_states,
    ),
    (b's', "the time stamp counter", true, machine::clocks),
    (b't', "clocks", false, machine::clocks),
    (b'w', "the log once more", false, machine::log_again),
    (b'z', "I/O APICs", true, machine::ioapics),
];

/// Does what `key` stands for; `false` when it stands for nothing.
pub fn press(hv: &Hypervisor, cpu: &mut Cpu, key: u8) -> bool {
    let Some((_, about, _, report)) = KEYS.iter().find(|row| row.0 == key) else {
        return false;
    };
    say!(hv, "'{}' pressed: {about}", char::from(key));
    report(hv, cpu);
    true
}

/// `XEN_SYSCTL_debug_keys`: as if these keys were typed. Errors: `EFAULT`.
pub fn from_tool(cx: &mut Cx, op: &SysctlDebugKeys) -> HyperResult {
    let keys = GuestPtr::<u8>::new(op.keys);
    // Each report is long, so whoever sends more than this means something else.
    for i in 0..u64::from(op.nr_keys.min(64)) {
        let key = cx.copy_in(keys.add(i))?;
        press(cx.hv, cx.cpu, key);
    }
    Ok(0)
}

fn help(hv: &Hypervisor, _cpu: &mut Cpu) {
    for (key, about, _, _) in KEYS {
        say!(hv, " {}: {about}", char::from(*key));
    }
}

fn all(hv: &Hypervisor, cpu: &mut Cpu) {
    for (key, about, _, report) in KEYS.iter().filter(|row| row.2) {
        say!(hv, "'{}': {about}", char::from(*key));
        report(hv, cpu);
    }
}
