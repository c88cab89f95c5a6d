//! The control domain's end, which is the machine's.

use crate::hv::Hypervisor;
use crate::say;
use machine::{Cpu, CpuApi};
use xen_abi::sched::*;

/// How long a message stays before the machine reboots after a crash, nanoseconds.
const READING_TIME: u64 = 5_000_000_000;

/// The control domain shut down for `reason` (`SHUTDOWN_*`), by what this CPU runs: does to the
/// machine what it asked for.
#[allow(
    non_upper_case_globals,
    reason = "reasons are named as in Xen's headers"
)]
pub fn shutdown(hv: &Hypervisor, cpu: &mut Cpu, reason: u32) {
    match reason {
        SHUTDOWN_poweroff => {
            say!(hv, "Domain 0 shutdown: halting machine");
            // Off, where the firmware's values for that are plain to see.
            machine::power::power_off(hv.platform);
            machine::power::halt()
        }
        SHUTDOWN_reboot => {
            say!(hv, "Domain 0 shutdown: rebooting machine");
            machine::power::reboot()
        }
        SHUTDOWN_crash => {
            registers(hv, cpu);
            crashed(hv, cpu)
        }
        SHUTDOWN_watchdog => {
            say!(hv, "Domain 0 shutdown: watchdog rebooting machine");
            machine::power::reboot()
        }
        SHUTDOWN_soft_reset => {
            say!(hv, "Domain 0 did unsupported soft reset, rebooting");
            machine::power::reboot()
        }
        _ => say!(
            hv,
            "Domain 0 shutdown (unknown reason {reason}): {}",
            then(hv)
        ),
    }
    reboot_later(hv, cpu)
}

/// The control domain crashed, and its state has been shown.
pub fn crashed(hv: &Hypervisor, cpu: &mut Cpu) -> ! {
    say!(hv, "Domain 0 crashed: {}", then(hv));
    reboot_later(hv, cpu)
}

/// Reboots in a while, or stops for good if that was asked for.
fn reboot_later(hv: &Hypervisor, cpu: &Cpu) -> ! {
    if hv.noreboot {
        machine::power::halt()
    }
    machine::console::flush();
    let until = cpu.now().saturating_add(READING_TIME);
    while cpu.now() < until {
        machine::relax();
    }
    machine::power::reboot()
}

fn then(hv: &Hypervisor) -> &'static str {
    if hv.noreboot {
        "'noreboot' set - not rebooting."
    } else {
        "rebooting machine in 5 seconds."
    }
}

/// What the vCPU on this CPU had in its registers and on its stack.
fn registers(hv: &Hypervisor, cpu: &mut Cpu) {
    let r = *cpu.regs();
    say!(hv, "cr2: {:016x}", cpu.cr2());
    crate::debug_keys::show_registers(hv, &r);
    say!(hv, "Guest stack trace from rsp={:016x}:", r.rsp);
    for line in 0..16u64 {
        let at = r.rsp.wrapping_add(line.wrapping_mul(32));
        let Ok([a, b, c, d]) = cpu.get_guest::<[u64; 4]>(at) else {
            say!(hv, "  Fault while accessing guest memory.");
            return;
        };
        say!(hv, "  {a:016x} {b:016x} {c:016x} {d:016x}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::World;
    use machine::arch::sim::PowerEvent;

    fn end(reason: u32) -> (Option<PowerEvent>, bool) {
        let world = World::new(1);
        let dom = world.domain(0, true, 1);
        let event = PowerEvent::of(|| {
            world.on(&dom, 0, 0, |cx| shutdown(cx.hv, cx.cpu, reason));
        });
        let said = world.machine.take_console();
        (event, said.contains("not rebooting"))
    }

    #[test]
    fn each_reason_ends_the_machine_in_its_way() {
        assert_eq!(end(SHUTDOWN_poweroff), (Some(PowerEvent::Halt), false));
        assert_eq!(end(SHUTDOWN_reboot), (Some(PowerEvent::Reboot), false));
        assert_eq!(end(SHUTDOWN_crash), (Some(PowerEvent::Halt), true));
        assert_eq!(end(SHUTDOWN_watchdog), (Some(PowerEvent::Reboot), false));
        assert_eq!(end(SHUTDOWN_soft_reset), (Some(PowerEvent::Reboot), false));
        assert_eq!(end(99), (Some(PowerEvent::Halt), true));
    }
}
