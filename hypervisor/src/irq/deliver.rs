//! An interrupt's way from the CPU to domains, and back when they have served it.

use crate::domain::Domain;
use crate::event;
use crate::hv::Hypervisor;
use machine::{Cpu, CpuApi};
use xen_abi::Errno;

/// A device's interrupt came to this CPU: ends it at the controller and hands it on.
pub fn handle(hv: &Hypervisor, cpu: &mut Cpu, vector: u8) {
    let here = cpu.id();
    let Some(line) = hv
        .irqs
        .vectors
        .line(here, vector)
        .and_then(|number| hv.irqs.line(number))
    else {
        // Of a line that was let go a moment ago.
        cpu.eoi();
        return;
    };
    let mut index = 0usize;
    loop {
        let sharer = {
            let mut line = line.lock();
            if index == 0 {
                line.arrived(hv, cpu, here, vector);
                cpu.eoi();
            }
            line.sharer(index)
        };
        let Some((dom, pirq)) = sharer else { return };
        let Some(dom) = dom else {
            index = index.saturating_add(1);
            continue;
        };
        let sent = match dom.hvm.get() {
            Some(_) => crate::hvm::devices::interrupt(hv, cpu, &dom, pirq),
            None => event::send_pirq(hv, cpu, &dom, pirq),
        };
        if !sent {
            // Nobody will say that it was served: do not wait for that.
            line.lock().ended(hv, cpu, dom.id, pirq);
        }
        index = index.saturating_add(1);
    }
}

/// A domain has served a level-triggered interrupt. Errors: `EINVAL` for a number that it does
/// not have.
pub fn eoi(hv: &Hypervisor, cpu: &mut Cpu, dom: &Domain, pirq: u32) -> Result<(), Errno> {
    let (number, unmask) = dom.irqs.line_for_eoi(pirq).ok_or(Errno::EINVAL)?;
    if unmask && let Some(port) = event::pirq_port(dom, pirq) {
        // A port that was closed meanwhile has nothing to unmask.
        let _ = event::unmask(hv, cpu, dom, port);
    }
    if let Some(line) = number.and_then(|number| hv.irqs.line(number)) {
        line.lock().ended(hv, cpu, dom.id, pirq);
    }
    Ok(())
}
