//! The devices on the PCI buses, as the control domain tells of them: what is there when it
//! starts is known, it adds and takes away.
//!
//! Lock: [`Irqs::devices`](super::Irqs).

use super::map;
use super::pci::{self, Function};
use super::physdev::asked;
use crate::cx::Cx;
use crate::fail::HyperResult;
use crate::log;
use alloc::vec::Vec;
use xen_abi::Errno;
use xen_abi::memory::physmap::PhysdevPciDevice;
use xen_abi::physdev::*;

/// Most devices whose state differs from what the buses show.
const MOST: usize = 4096;

/// A function on any segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    segment: u16,
    bus: u8,
    devfn: u8,
}

impl Place {
    fn new(segment: u16, bus: u8, devfn: u8) -> Place {
        Place {
            segment,
            bus,
            devfn,
        }
    }

    /// The function, if the configuration ports reach it.
    fn function(self) -> Option<Function> {
        (self.segment == 0).then_some(Function {
            bus: self.bus,
            devfn: self.devfn,
        })
    }
}

/// What the control domain told, where it differs from what the buses show.
#[derive(Debug, Default)]
pub struct Devices {
    told: Vec<(Place, bool)>,
}

impl Devices {
    fn told(&self, place: Place) -> Option<bool> {
        let found = self.told.iter().find(|(other, _)| *other == place)?;
        Some(found.1)
    }

    /// Errors: `ENOMEM`.
    fn tell(&mut self, place: Place, there: bool) -> Result<(), Errno> {
        if let Some(found) = self.told.iter_mut().find(|(other, _)| *other == place) {
            found.1 = there;
            return Ok(());
        }
        if self.told.len() >= MOST {
            return Err(Errno::ENOMEM);
        }
        self.told.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        self.told.push((place, there));
        Ok(())
    }
}

fn is_known(cx: &mut Cx, place: Place) -> bool {
    let told = cx.hv.irqs.devices.lock().told(place);
    match (told, place.function()) {
        (Some(there), _) => there,
        (None, Some(function)) => function.exists(cx.hv, cx.cpu),
        (None, None) => false,
    }
}

/// Errors: `ENODEV` for a device that is not known.
fn known(cx: &mut Cx, place: Place) -> Result<(), Errno> {
    if is_known(cx, place) {
        Ok(())
    } else {
        Err(Errno::ENODEV)
    }
}

/// The operations on devices, for the control domain. Errors: `EFAULT`, `EPERM`, `EINVAL`,
/// `ENODEV`, `ENOMEM`.
pub fn call(cx: &mut Cx, cmd: u32, arg: u64) -> HyperResult {
    match cmd {
        PHYSDEVOP_manage_pci_add => {
            let at: PhysdevManagePci = asked(cx, arg)?;
            add(cx, Place::new(0, at.bus, at.devfn))
        }
        PHYSDEVOP_manage_pci_add_ext => {
            let at: PhysdevManagePciExt = asked(cx, arg)?;
            if at.is_extfn > 1 || at.is_virtfn > 1 {
                return Err(Errno::EINVAL.into());
            }
            add(cx, Place::new(0, at.bus, at.devfn))
        }
        PHYSDEVOP_pci_device_add => {
            let at: PhysdevPciDeviceAdd = asked(cx, arg)?;
            let place = Place::new(at.seg, at.bus, at.devfn);
            if at.flags & XEN_PCI_DEV_VIRTFN != 0 {
                let parent = Place::new(at.seg, at.physfn.bus, at.physfn.devfn);
                if parent != place {
                    known(cx, parent)?;
                }
            }
            add(cx, place)
        }
        PHYSDEVOP_manage_pci_remove => {
            let at: PhysdevManagePci = asked(cx, arg)?;
            remove(cx, Place::new(0, at.bus, at.devfn))
        }
        PHYSDEVOP_restore_msi => {
            let at: PhysdevRestoreMsi = asked(cx, arg)?;
            restore(cx, Place::new(0, at.bus, at.devfn))
        }
        PHYSDEVOP_pci_device_reset => {
            let at: PciDeviceReset = asked(cx, arg)?;
            if at.flags & !PCI_DEVICE_RESET_MASK != 0 {
                return Err(Errno::EINVAL.into());
            }
            known(cx, Place::new(at.dev.seg, at.dev.bus, at.dev.devfn))?;
            Ok(0)
        }
        _ => {
            let at: PhysdevPciDevice = asked(cx, arg)?;
            let place = Place::new(at.seg, at.bus, at.devfn);
            match cmd {
                PHYSDEVOP_pci_device_remove => remove(cx, place),
                PHYSDEVOP_restore_msi_ext => restore(cx, place),
                PHYSDEVOP_prepare_msix | PHYSDEVOP_release_msix => msix(cx, place),
                _ => Err(Errno::ENOSYS.into()),
            }
        }
    }
}

fn add(cx: &mut Cx, place: Place) -> HyperResult {
    cx.hv.irqs.devices.lock().tell(place, true)?;
    let Place {
        segment,
        bus,
        devfn,
    } = place;
    let (device, function) = (devfn >> 3, devfn & 7);
    log!(
        cx.hv,
        Info,
        "PCI add device {segment:04x}:{bus:02x}:{device:02x}.{function}"
    );
    Ok(0)
}

fn remove(cx: &mut Cx, place: Place) -> HyperResult {
    known(cx, place)?;
    cx.hv.irqs.devices.lock().tell(place, false)?;
    Ok(0)
}

fn restore(cx: &mut Cx, place: Place) -> HyperResult {
    known(cx, place)?;
    if let Some(function) = place.function() {
        map::restore(cx.hv, cx.cpu, function);
    }
    Ok(0)
}

/// Whether the device has MSI-X, for dom0 to prepare it for a guest. Errors: `ENODEV`.
fn msix(cx: &mut Cx, place: Place) -> HyperResult {
    known(cx, place)?;
    let function = place.function().ok_or(Errno::ENODEV)?;
    let found =
        function.exists(cx.hv, cx.cpu) && function.capability(cx.hv, cx.cpu, pci::MSIX).is_some();
    if found {
        Ok(0)
    } else {
        Err(Errno::ENODEV.into())
    }
}
