//! Pools and their queues, for the debug key `r`. Nothing is waited for.

use super::Scheduler;
use super::group::Group;
use super::pool::members;
use crate::hv::Hypervisor;
use crate::say;
use alloc::string::String;
use core::fmt::Write;
use core::sync::atomic::Ordering;
use machine::CpuMask;

/// CPUs as ranges: `0-3,8`.
fn ranges(cpus: &CpuMask) -> String {
    let mut text = String::new();
    let mut cpus = cpus.iter().peekable();
    while let Some(first) = cpus.next() {
        let mut last = first;
        while let Some(next) = cpus.next_if(|&next| next == last.saturating_add(1)) {
            last = next;
        }
        let comma = if text.is_empty() { "" } else { "," };
        // Writing to a string does not fail.
        let _ = match last == first {
            true => write!(text, "{comma}{first}"),
            false => write!(text, "{comma}{first}-{last}"),
        };
    }
    if text.is_empty() {
        text.push_str("none");
    }
    text
}

impl Scheduler {
    /// Tells of all pools.
    pub fn dump(&self, hv: &Hypervisor) {
        say!(hv, "CPUs in no pool: {}", ranges(&self.free_cpus()));
        let Some(pools) = self.pools.try_lock() else {
            say!(hv, "the pools are just being changed");
            return;
        };
        for pool in pools.iter() {
            say!(
                hv,
                "pool {}: {}, CPUs {}, {} domains, at least {} us a turn",
                pool.id,
                pool.kind.name(),
                ranges(&pool.cpus),
                members(hv, pool.id).count(),
                pool.tunables.rate_limit_ns.load(Ordering::Relaxed) / 1000,
            );
            for (index, group) in self.groups_of(pool.id) {
                self.dump_group(hv, index, group);
            }
        }
    }

    fn dump_group(&self, hv: &Hypervisor, index: u32, group: &Group) {
        let mask = group.mask.load();
        let waiting = group.waiting.load(Ordering::Relaxed);
        say!(hv, " queue {index}: CPUs {}, {waiting} wait", ranges(&mask));
        let Some(queue) = group.queue.try_lock() else {
            say!(hv, "  just being changed");
            return;
        };
        for cpu in mask.iter() {
            match queue.runs(cpu) {
                Some(vcpu) => say!(hv, "  CPU {cpu} runs d{}v{}", vcpu.domid, vcpu.id),
                None => say!(hv, "  CPU {cpu} idles"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpus_are_told_as_ranges() {
        let mut cpus = CpuMask::first(4);
        assert_eq!(ranges(&CpuMask::EMPTY), "none");
        assert_eq!(ranges(&cpus), "0-3");
        cpus.set(5);
        cpus.set(70);
        cpus.set(71);
        assert_eq!(ranges(&cpus), "0-3,5,70-71");
    }
}
