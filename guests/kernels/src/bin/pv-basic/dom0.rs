//! What the first domain alone may do: interrupts, the platform, the console's input.

use guest_rt::events;
use guest_rt::harness::Outcome;
use guest_rt::{check, hypercall, insn, mem, ok, refused, same, traps};
use xen_abi::event_channel::*;
use xen_abi::hypercall::*;
use xen_abi::physdev::*;
use xen_abi::platform::*;
use xen_abi::xen::{CONSOLEIO_read, DOMID_SELF};

fn physdev<T>(cmd: u32, arg: &mut T) -> hypercall::HyperResult {
    hypercall::op(PHYSDEV_OP, cmd, arg)
}

pub fn pirq() -> Outcome {
    // A GSI of the machine that nothing is on: announced, mapped, bound, ended, given back.
    let gsi = 20;
    ok!(physdev(
        PHYSDEVOP_setup_gsi,
        &mut PhysdevSetupGsi {
            gsi,
            triggering: 1,
            polarity: 1,
            _pad0: 0
        }
    ));
    let mut map = PhysdevMapPirq {
        domid: DOMID_SELF,
        r#type: MAP_PIRQ_TYPE_GSI,
        index: gsi,
        pirq: gsi,
        ..Default::default()
    };
    ok!(physdev(PHYSDEVOP_map_pirq, &mut map));
    same!(map.pirq, gsi);
    let mut bind = EvtchnBindPirq {
        pirq: gsi as u32,
        flags: BIND_PIRQ__WILL_SHARE,
        port: 0,
    };
    ok!(hypercall::evtchn(EVTCHNOP_bind_pirq, &mut bind));
    let status = ok!(events::status(bind.port));
    same!((status.status, status.u[0]), (EVTCHNSTAT_pirq, gsi as u32));
    refused!(hypercall::evtchn(EVTCHNOP_bind_pirq, &mut bind), EEXIST);
    let mut query = PhysdevIrqStatusQuery {
        irq: gsi as u32,
        flags: 0,
    };
    ok!(physdev(PHYSDEVOP_irq_status_query, &mut query));
    ok!(physdev(PHYSDEVOP_eoi, &mut PhysdevEoi { irq: gsi as u32 }));
    ok!(events::close(bind.port));
    ok!(physdev(
        PHYSDEVOP_unmap_pirq,
        &mut PhysdevUnmapPirq {
            domid: DOMID_SELF,
            _pad0: 0,
            pirq: gsi
        }
    ));
    Ok(())
}

pub fn eoi_page() -> Outcome {
    let page = mem::alloc();
    ok!(physdev(
        PHYSDEVOP_pirq_eoi_gmfn_v2,
        &mut PhysdevPirqEoiGmfn { gmfn: page.mfn() }
    ));
    refused!(
        physdev(
            PHYSDEVOP_pirq_eoi_gmfn_v2,
            &mut PhysdevPirqEoiGmfn { gmfn: page.mfn() }
        ),
        EBUSY
    );
    Ok(())
}

pub fn platform() -> Outcome {
    let op = |cmd, u: [u64; 16]| PlatformOp {
        cmd,
        interface_version: XENPF_INTERFACE_VERSION,
        u,
    };
    let run = |op: &mut PlatformOp| hypercall::call(PLATFORM_OP, [&raw mut *op as u64, 0, 0, 0, 0]);
    // CPU 0 is there, online and known by its APIC id.
    let mut info = op(XENPF_get_cpuinfo, [0; 16]);
    ok!(run(&mut info));
    let mut words = info.u.iter().flat_map(|w| [*w as u32, (*w >> 32) as u32]);
    let [xen_cpuid, max_present, flags] = [(); 3].map(|()| words.next().unwrap_or(0));
    check!(
        xen_cpuid == 0 && max_present < 64 && flags & 1 == 1,
        "{xen_cpuid} {max_present} {flags:#x}"
    );
    refused!(run(&mut op(9999, [0; 16])), ENOSYS);
    Ok(())
}

pub fn console_read() -> Outcome {
    let page = mem::alloc();
    same!(
        hypercall::call(CONSOLE_IO, [u64::from(CONSOLEIO_read), 64, page.va(), 0, 0]),
        Ok(0)
    );
    Ok(())
}

pub fn rtc() -> Outcome {
    ok!(physdev(PHYSDEVOP_set_iopl, &mut PhysdevSetIopl { iopl: 1 }));
    let read = |index: u8| {
        insn::out8(0x70, index);
        insn::in8(0x71)
    };
    let century_or_year = ok!(traps::catch(|| read(9)));
    let month = ok!(traps::catch(|| read(8)));
    check!(
        (1..=0x12).contains(&month),
        "month {month:#x}, year {century_or_year:#x}"
    );
    ok!(physdev(PHYSDEVOP_set_iopl, &mut PhysdevSetIopl { iopl: 0 }));
    Ok(())
}

pub fn pci_config() -> Outcome {
    ok!(physdev(PHYSDEVOP_set_iopl, &mut PhysdevSetIopl { iopl: 1 }));
    let read = |device: u32, register: u32| {
        insn::out32(0xcf8, 0x8000_0000 | device << 11 | register);
        insn::in32(0xcfc)
    };
    // The ISA bridge of the machine, by bytes, words and doublewords alike.
    let whole = ok!(traps::catch(|| read(31, 0)));
    insn::out32(0xcf8, 0x8000_0000 | 31 << 11);
    let byte = ok!(traps::catch(|| insn::in8(0xcfd)));
    same!(u32::from(byte), whole >> 8 & 0xff);
    same!(read(30, 0), 0xffff_ffff);
    ok!(physdev(PHYSDEVOP_set_iopl, &mut PhysdevSetIopl { iopl: 0 }));
    Ok(())
}
