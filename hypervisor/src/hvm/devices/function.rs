//! A function of a PCI device that the domain met, and what is virtual of it.

use super::msi::Msi;
use super::msix::Msix;
use super::{MOST, State};
use crate::domain::Domain;
use crate::hv::Hypervisor;
use crate::irq::Function;
use crate::mem::p2m::{self, Pending};
use machine::nested::{Kind, Leaf};
use machine::{Cpu, Gfn};
use xen_abi::Errno;

/// A function that is there.
pub struct Device {
    pub(super) function: Function,
    pub(super) msi: Option<Msi>,
    pub(super) msix: Option<Msix>,
}

impl Device {
    fn new(hv: &Hypervisor, cpu: &mut Cpu, function: Function) -> Result<Device, Errno> {
        Ok(Device {
            function,
            msi: Msi::of(hv, cpu, function),
            msix: Msix::of(hv, cpu, function)?,
        })
    }

    /// Whether page `pfn` holds its MSI-X table.
    pub(super) fn traps(&self, pfn: u64) -> bool {
        let table = self.msix.as_ref().and_then(Msix::pages);
        table.is_some_and(|(first, last)| (first..=last).contains(&pfn))
    }
}

fn key(function: Function) -> (u8, u8) {
    (function.bus, function.devfn)
}

impl State {
    /// Where in the list a function is; it is added when it is first met. `None` for one that
    /// does not exist, or that there is no room for.
    pub(super) fn known(
        &mut self,
        hv: &Hypervisor,
        cpu: &mut Cpu,
        dom: &Domain,
        function: Function,
    ) -> Option<usize> {
        let found = self
            .functions
            .binary_search_by_key(&key(function), |one| key(one.function));
        let index = match found {
            Ok(index) => return Some(index),
            Err(index) => index,
        };
        if self.functions.len() >= MOST || !function.exists(hv, cpu) {
            return None;
        }
        self.functions.try_reserve(1).ok()?;
        let device = Device::new(hv, cpu, function).ok()?;
        self.functions.insert(index, device);
        self.table_moved(hv, cpu, dom, index);
        Some(index)
    }

    /// The function's memory may be elsewhere now: where its MSI-X table is, the domain must not
    /// reach it.
    pub(super) fn table_moved(
        &mut self,
        hv: &Hypervisor,
        cpu: &mut Cpu,
        dom: &Domain,
        index: usize,
    ) {
        let Some(device) = self.functions.get_mut(index) else {
            return;
        };
        let function = device.function;
        let Some(msix) = &mut device.msix else { return };
        msix.locate(hv, cpu, function);
        let Some((first, last)) = msix.pages() else {
            return;
        };
        let mut pending = Pending::default();
        for pfn in first..=last {
            let mapped = |found: Option<machine::nested::Found>| match found {
                Some(found) if found.kind == Kind::Mmio => Ok(()),
                _ => Err(Errno::ENOENT),
            };
            if let Ok(stale) = p2m::change(hv, cpu, dom, Gfn(pfn), Leaf::None, mapped) {
                let _ = pending.add(cpu, dom, stale);
            }
        }
        pending.settle(cpu);
    }
}
