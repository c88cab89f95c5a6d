//! The grant table of a guest with a physical map, used by this domain with itself.

use crate::memory::{add, give_back, remove};
use guest_rt::harness::Outcome;
use guest_rt::{check, hypercall, mem, ok, refused, same, traps};
use xen_abi::grant_table::*;
use xen_abi::memory::physmap::*;
use xen_abi::memory::reservation::*;
use xen_abi::version::XENVER_extraversion;
use xen_abi::xen::DOMID_SELF;

/// Frames of RAM that nobody uses: the table, then others.
const SPARE: u64 = 0xa00_0000 >> 12;
const TABLE: u64 = SPARE;

fn va(gfn: u64) -> u64 {
    gfn << 12
}

/// Where the hypervisor says that the table's first frame is.
fn place() -> Result<u64, guest_rt::harness::Failure> {
    let mut frames = [0u64; 1];
    let mut setup = GnttabSetupTable {
        dom: DOMID_SELF,
        nr_frames: 1,
        frame_list: frames.as_mut_ptr() as u64,
        ..Default::default()
    };
    same!(hypercall::grant(GNTTABOP_setup_table, &mut setup), Ok(0));
    same!(setup.status, GNTST_okay);
    Ok(frames[0])
}

pub fn place_of_the_table() -> Outcome {
    same!(place()?, u64::MAX);
    ok!(add(XENMAPSPACE_grant_table, 0, TABLE + 1));
    same!(place()?, TABLE + 1);
    mem::write_uncaught(va(TABLE + 1) + 0x800, 0x77);
    // It moves, with what is in it.
    ok!(add(XENMAPSPACE_grant_table, 0, TABLE));
    same!(place()?, TABLE);
    same!(mem::read_uncaught(va(TABLE) + 0x800), 0x77);
    same!(mem::read_uncaught(va(TABLE + 1)), u64::MAX);
    mem::write_uncaught(va(TABLE) + 0x800, 0);
    refused!(add(XENMAPSPACE_grant_table, 1 << 20, TABLE + 2), EINVAL);
    Ok(())
}

/// Grants guest frame `gfn` to this domain.
fn grant(gref: u64, flags: u16, gfn: u64) {
    // Version 1: flags, domain, frame.
    let domid = 0u64;
    let entry = u64::from(flags) | domid << 16 | gfn << 32;
    mem::write_uncaught(va(TABLE) + gref * 8, entry);
}

fn map(gref: u32, flags: u32, at: u64) -> Result<u32, i16> {
    let mut arg = GnttabMapGrantRef {
        host_addr: at,
        flags,
        r#ref: gref,
        dom: 0,
        ..Default::default()
    };
    match hypercall::grant(GNTTABOP_map_grant_ref, &mut arg) {
        Ok(0) if arg.status == GNTST_okay => Ok(arg.handle),
        Ok(_) => Err(arg.status),
        Err(_) => Err(i16::MIN),
    }
}

fn unmap(handle: u32, at: u64) -> i16 {
    let mut arg = GnttabUnmapGrantRef {
        host_addr: at,
        handle,
        ..Default::default()
    };
    match hypercall::grant(GNTTABOP_unmap_grant_ref, &mut arg) {
        Ok(_) => arg.status,
        Err(_) => i16::MIN,
    }
}

/// Whether a frame of one's own can be mapped by its grant: on Xen 4.20 it then leaves its place in
/// the physical map, and the domain is crashed when it is mapped once more. There such mappings
/// are for others' frames, which a domain alone does not have.
fn maps_own() -> bool {
    let text = mem::alloc();
    let args = [XENVER_extraversion.into(), text.va(), 0, 0, 0];
    let done = hypercall::call(xen_abi::hypercall::XEN_VERSION, args);
    let word = |i| text.get(i).to_le_bytes();
    let mut bytes = [0; 16];
    let (first, second) = bytes.split_at_mut(8);
    first.copy_from_slice(&word(0));
    second.copy_from_slice(&word(1));
    done.is_ok() && bytes.windows(6).any(|part| part == b"xenios")
}

/// Two holes to map at, and a frame to grant.
const HOLE: u64 = SPARE + 16;
const FRAME: u64 = SPARE + 32;

pub fn map_own() -> Outcome {
    ok!(give_back(HOLE));
    if !maps_own() {
        return Ok(());
    }
    mem::write_uncaught(va(FRAME), 0x1234);
    grant(8, GTF_permit_access, FRAME);
    let handle = ok!(map(8, GNTMAP_host_map, va(HOLE)));
    same!(mem::read_uncaught(va(HOLE)), 0x1234);
    mem::write_uncaught(va(HOLE) + 8, 0x5678);
    same!(mem::read_uncaught(va(FRAME) + 8), 0x5678);
    check!(
        mem::read_uncaught(va(TABLE) + 64) as u16 & GTF_writing != 0,
        "not marked as written"
    );
    same!(unmap(handle, va(HOLE)), GNTST_okay);
    same!(mem::read_uncaught(va(HOLE)), u64::MAX);
    same!(mem::read_uncaught(va(TABLE) + 64) as u16, GTF_permit_access);
    same!(unmap(handle, va(HOLE)), GNTST_bad_handle);
    Ok(())
}

pub fn read_only() -> Outcome {
    if !maps_own() {
        return Ok(());
    }
    grant(9, GTF_permit_access | GTF_readonly, FRAME);
    same!(map(9, GNTMAP_host_map, va(HOLE)), Err(GNTST_general_error));
    let handle = ok!(map(9, GNTMAP_host_map | GNTMAP_readonly, va(HOLE)));
    mem::write_uncaught(va(FRAME), 0x4321);
    same!(mem::read_uncaught(va(HOLE)), 0x4321);
    traps!(13, mem::write_uncaught(va(HOLE), 1));
    same!(mem::read_uncaught(va(FRAME)), 0x4321);
    same!(unmap(handle, va(HOLE)), GNTST_okay);
    Ok(())
}

pub fn refused() -> Outcome {
    grant(8, GTF_permit_access, FRAME);
    for flags in [
        GNTMAP_host_map | GNTMAP_contains_pte,
        GNTMAP_host_map | GNTMAP_application_map,
    ] {
        same!(map(8, flags, va(HOLE)), Err(GNTST_general_error));
    }
    same!(
        map(500, GNTMAP_host_map, va(HOLE)),
        Err(GNTST_general_error)
    );
    same!(
        map(1 << 20, GNTMAP_host_map, va(HOLE)),
        Err(GNTST_bad_gntref)
    );
    grant(10, GTF_permit_access, 1 << 30);
    same!(map(10, GNTMAP_host_map, va(HOLE)), Err(GNTST_bad_page));
    if !maps_own() {
        return Ok(());
    }
    let handle = ok!(map(8, GNTMAP_host_map, va(HOLE)));
    same!(unmap(handle, va(HOLE + 1)), GNTST_general_error);
    same!(unmap(handle, va(FRAME)), GNTST_general_error);
    let mut replace = GnttabUnmapAndReplace {
        host_addr: va(HOLE),
        new_addr: va(FRAME),
        handle,
        ..Default::default()
    };
    same!(
        hypercall::grant(GNTTABOP_unmap_and_replace, &mut replace),
        Ok(0)
    );
    same!(replace.status, GNTST_general_error);
    same!(unmap(handle, va(HOLE)), GNTST_okay);
    Ok(())
}

pub fn copy() -> Outcome {
    grant(8, GTF_permit_access, FRAME);
    mem::write_uncaught(va(FRAME) + 16, 0x0102_0304_0506_0708);
    let copy = |gfn| {
        let mut arg = GnttabCopy {
            source: GnttabCopyPtr {
                u: 8,
                domid: 0,
                offset: 16,
                _pad0: 0,
            },
            dest: GnttabCopyPtr {
                u: gfn,
                domid: DOMID_SELF,
                offset: 24,
                _pad0: 0,
            },
            len: 8,
            flags: GNTCOPY_source_gref,
            ..Default::default()
        };
        match hypercall::grant(GNTTABOP_copy, &mut arg) {
            Ok(_) => arg.status,
            Err(_) => i16::MIN,
        }
    };
    same!(copy(FRAME + 1), GNTST_okay);
    same!(
        mem::read_uncaught(va(FRAME + 1) + 24),
        0x0102_0304_0506_0708
    );
    check!(copy(1 << 30) < 0, "a frame that is not there");
    Ok(())
}

pub fn status_frames() -> Outcome {
    let status = XENMAPIDX_grant_table_status;
    refused!(add(XENMAPSPACE_grant_table, status, TABLE + 2), EINVAL);
    same!(
        hypercall::grant(GNTTABOP_set_version, &mut GnttabSetVersion { version: 2 }),
        Ok(0)
    );
    ok!(add(XENMAPSPACE_grant_table, status, TABLE + 2));
    // Version 2: flags and domain, then the frame.
    let entry = va(TABLE) + 8 * 16;
    mem::write_uncaught(entry + 8, FRAME);
    mem::write_uncaught(entry, GTF_permit_access.into());
    let marks = || mem::read_uncaught(va(TABLE + 2) + 16) as u16;
    same!(marks(), 0);
    if maps_own() {
        let handle = ok!(map(8, GNTMAP_host_map, va(HOLE)));
        same!(marks(), GTF_reading | GTF_writing);
        same!(unmap(handle, va(HOLE)), GNTST_okay);
        same!(marks(), 0);
    }
    mem::write_uncaught(entry, 0);
    ok!(remove(TABLE + 2));
    same!(
        hypercall::grant(GNTTABOP_set_version, &mut GnttabSetVersion { version: 1 }),
        Ok(0)
    );
    let mut wish = MemoryReservation {
        extent_start: [HOLE].as_ptr() as u64,
        nr_extents: 1,
        domid: DOMID_SELF,
        ..Default::default()
    };
    same!(
        ok!(hypercall::memory(XENMEM_populate_physmap, &mut wish)),
        1
    );
    Ok(())
}
