//! Grant tables on the simulated machine.

mod copying;
mod hostile;
mod hvm_mapper;
mod hvm_owner;
mod hvm_races;
mod mapping;
mod silo;
mod tables;

use crate::cx::Cx;
use crate::domain::Domain;
use crate::fail::{Fail, HyperResult};
use crate::testing::{self, DATA_VA, TestDomain, World};
use core::sync::atomic::Ordering::SeqCst;
use machine::Page;
use xen_abi::Errno;
use xen_abi::compat::Layout;
use xen_abi::grant_table::*;
use xen_abi::memory::physmap::*;
use xen_abi::memory::reservation::{XENMEM_add_to_physmap, XENMEM_remove_from_physmap};
use xen_abi::xen::DOMID_SELF;

/// Where nothing is mapped, but a page table is.
const WINDOW: u64 = DATA_VA + (100 << 12);

fn op<T: Layout>(cx: &mut Cx, cmd: u32, arg: &mut T) -> HyperResult {
    testing::call(cx, arg, |cx, ptr| super::call(cx, [cmd.into(), ptr, 1]))
}

fn fails(errno: Errno) -> HyperResult {
    Err(Fail::Errno(errno))
}

/// Page `index` of a domain's entries, made as the domain's own setup would.
fn table(world: &World, t: &TestDomain, index: u32) -> Page {
    table_of(world, &t.dom, index)
}

fn table_of(world: &World, dom: &Domain, index: u32) -> Page {
    let mut cpu = world.machine.cpu(0);
    super::frame(world.hv, &mut cpu, dom, index, false).unwrap()
}

fn write_v1(table: &Page, gref: u32, flags: u16, domid: u16, frame: u64) {
    table.halves()[gref as usize * 2 + 1].store(frame as u32, SeqCst);
    table.halves()[gref as usize * 2].store(flags as u32 | (domid as u32) << 16, SeqCst);
}

fn write_v2(table: &Page, gref: u32, flags: u16, domid: u16, middle: u32, last: u64) {
    let at = gref as usize * 4;
    table.halves()[at + 1].store(middle, SeqCst);
    table.words()[at / 2 + 1].store(last, SeqCst);
    table.halves()[at].store(flags as u32 | (domid as u32) << 16, SeqCst);
}

fn flags_v1(table: &Page, gref: u32) -> u16 {
    table.halves()[gref as usize * 2].load(SeqCst) as u16
}

fn map_at(cx: &mut Cx, addr: u64, flags: u32, dom: u16, gref: u32) -> Result<u32, i16> {
    let mut arg = GnttabMapGrantRef {
        host_addr: addr,
        flags,
        r#ref: gref,
        dom,
        ..Default::default()
    };
    assert_eq!(op(cx, GNTTABOP_map_grant_ref, &mut arg), Ok(0));
    if arg.status == GNTST_okay {
        Ok(arg.handle)
    } else {
        Err(arg.status)
    }
}

fn unmap_at(cx: &mut Cx, addr: u64, handle: u32) -> i16 {
    let mut arg = GnttabUnmapGrantRef {
        host_addr: addr,
        handle,
        ..Default::default()
    };
    assert_eq!(op(cx, GNTTABOP_unmap_grant_ref, &mut arg), Ok(0));
    arg.status
}

fn set_version(cx: &mut Cx, version: u32) -> HyperResult {
    op(cx, GNTTABOP_set_version, &mut GnttabSetVersion { version })
}

fn memory_op<T: Layout>(cx: &mut Cx, cmd: u32, arg: &mut T) -> HyperResult {
    testing::call(cx, arg, |cx, ptr| {
        crate::mem::memory_op::call(cx, [cmd.into(), ptr])
    })
}

fn add(cx: &mut Cx, space: u32, idx: u64, gpfn: u64) -> HyperResult {
    let mut arg = AddToPhysmap {
        domid: DOMID_SELF,
        space,
        idx,
        gpfn,
        ..Default::default()
    };
    memory_op(cx, XENMEM_add_to_physmap, &mut arg)
}

fn remove(cx: &mut Cx, gpfn: u64) -> HyperResult {
    let mut arg = RemoveFromPhysmap {
        domid: DOMID_SELF,
        gpfn,
        ..Default::default()
    };
    memory_op(cx, XENMEM_remove_from_physmap, &mut arg)
}
