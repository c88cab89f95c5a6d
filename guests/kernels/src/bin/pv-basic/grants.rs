//! The grant table, used by this domain with itself.

use guest_rt::harness::{Failure, Outcome};
use guest_rt::mem::pte;
use guest_rt::{check, events, hypercall, mem, ok, same};
use xen_abi::grant_table::*;
use xen_abi::mmu::UVMF_INVLPG;
use xen_abi::xen::DOMID_SELF;

pub fn version_and_size() -> Outcome {
    let mut size = GnttabQuerySize {
        dom: DOMID_SELF,
        ..Default::default()
    };
    same!(hypercall::grant(GNTTABOP_query_size, &mut size), Ok(0));
    same!(size.status, GNTST_okay);
    check!(size.max_nr_frames >= 4 && size.nr_frames >= 1, "{size:?}");
    let mut version = GnttabGetVersion {
        dom: DOMID_SELF,
        ..Default::default()
    };
    same!(hypercall::grant(GNTTABOP_get_version, &mut version), Ok(0));
    same!(version.version, 1);
    same!(
        hypercall::grant(GNTTABOP_set_version, &mut GnttabSetVersion { version: 1 }),
        Ok(0)
    );
    guest_rt::refused!(
        hypercall::grant(GNTTABOP_set_version, &mut GnttabSetVersion { version: 3 }),
        EINVAL
    );
    Ok(())
}

/// Maps the first frame of the grant table at a page of the pool.
fn table() -> Result<mem::Page, Failure> {
    let mut frames = [0u64; 1];
    let mut setup = GnttabSetupTable {
        dom: DOMID_SELF,
        nr_frames: 1,
        frame_list: frames.as_mut_ptr() as u64,
        ..Default::default()
    };
    same!(hypercall::grant(GNTTABOP_setup_table, &mut setup), Ok(0));
    same!(setup.status, GNTST_okay);
    let page = mem::alloc();
    ok!(hypercall::update_va_mapping(
        page.va(),
        pte::entry(frames[0], pte::DATA),
        UVMF_INVLPG
    ));
    Ok(page)
}

pub fn setup_table() -> Outcome {
    let page = table()?;
    page.set(20, 0);
    same!(page.get(20), 0);
    let mut setup = GnttabSetupTable {
        dom: DOMID_SELF,
        nr_frames: 100_000,
        ..Default::default()
    };
    same!(hypercall::grant(GNTTABOP_setup_table, &mut setup), Ok(0));
    same!(setup.status, GNTST_general_error);
    Ok(())
}

/// Grants `page` to this domain itself under `reference`: flags, domain, frame. Gives its number.
fn grant(table: mem::Page, reference: usize, page: mem::Page, flags: u16) -> Result<u16, Failure> {
    let own = events::own_domid()?;
    table
        .dword(reference * 2 + 1)
        .store(page.mfn() as u32, core::sync::atomic::Ordering::SeqCst);
    table.dword(reference * 2).store(
        u32::from(flags) | u32::from(own) << 16,
        core::sync::atomic::Ordering::SeqCst,
    );
    Ok(own)
}

pub fn copy() -> Outcome {
    let table = table()?;
    let (from, to) = (mem::alloc(), mem::alloc());
    from.set(2, 0xc0_ffee);
    grant(table, 30, from, GTF_permit_access | GTF_readonly)?;
    let mut copy = GnttabCopy {
        source: GnttabCopyPtr {
            u: 30,
            domid: DOMID_SELF,
            offset: 0,
            _pad0: 0,
        },
        dest: GnttabCopyPtr {
            u: to.mfn(),
            domid: DOMID_SELF,
            offset: 0,
            _pad0: 0,
        },
        len: 64,
        flags: GNTCOPY_source_gref,
        status: 99,
        _pad0: 0,
    };
    same!(hypercall::grant(GNTTABOP_copy, &mut copy), Ok(0));
    same!(copy.status, GNTST_okay);
    same!(to.get(2), 0xc0_ffee);
    copy.len = 4096;
    copy.dest.offset = 8;
    same!(hypercall::grant(GNTTABOP_copy, &mut copy), Ok(0));
    same!(copy.status, GNTST_bad_copy_arg);
    table.set(30, 0);
    Ok(())
}

pub fn map() -> Outcome {
    let table = table()?;
    let (page, window) = (mem::alloc(), mem::alloc());
    page.set(4, 0xabc);
    let own = grant(table, 31, page, GTF_permit_access)?;
    let mut map = GnttabMapGrantRef {
        host_addr: window.va(),
        flags: GNTMAP_host_map,
        r#ref: 31,
        dom: own,
        ..Default::default()
    };
    same!(hypercall::grant(GNTTABOP_map_grant_ref, &mut map), Ok(0));
    same!(map.status, GNTST_okay);
    same!(window.get(4), 0xabc);
    window.set(4, 0xdef);
    same!(page.get(4), 0xdef);
    let flags = table
        .half(31 * 4)
        .load(core::sync::atomic::Ordering::SeqCst);
    same!(
        flags & (GTF_reading | GTF_writing),
        GTF_reading | GTF_writing
    );
    let mut unmap = GnttabUnmapGrantRef {
        host_addr: window.va(),
        handle: map.handle,
        ..Default::default()
    };
    same!(
        hypercall::grant(GNTTABOP_unmap_grant_ref, &mut unmap),
        Ok(0)
    );
    same!(unmap.status, GNTST_okay);
    let flags = table
        .half(31 * 4)
        .load(core::sync::atomic::Ordering::SeqCst);
    same!(flags & (GTF_reading | GTF_writing), 0);
    guest_rt::traps!(14, window.get(0));
    ok!(window.protect(true));
    Ok(())
}
