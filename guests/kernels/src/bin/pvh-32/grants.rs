//! `grant_table_op` in 32-bit form.

use core::sync::atomic::Ordering::SeqCst;
use guest_rt::harness::Outcome;
use guest_rt::hypercall::HyperResult;
use guest_rt::mem::{self, Page};
use guest_rt::pvh::narrow::{self, call, low, op};
use guest_rt::smp::Lock;
use guest_rt::{check, ok, pvh, refused, same};
use xen_abi::compat::Layout;
use xen_abi::grant_table::*;
use xen_abi::hypercall as nr;
use xen_abi::memory::*;
use xen_abi::xen::DOMID_SELF;

/// Where the table's first page is.
static TABLE: Lock<Option<Page>> = Lock::new(None);

fn grant<T: Layout>(page: Page, cmd: u32, arg: &mut T) -> HyperResult {
    op(page, nr::GRANT_TABLE_OP, cmd, arg)
}

fn put_table(at: Page, idx: u64) -> HyperResult {
    let mut wish = AddToPhysmap {
        domid: DOMID_SELF,
        space: XENMAPSPACE_grant_table,
        idx,
        gpfn: pvh::gfn(at),
        ..Default::default()
    };
    op(
        mem::alloc(),
        nr::MEMORY_OP,
        XENMEM_add_to_physmap,
        &mut wish,
    )
}

pub fn table() -> Outcome {
    let [page, list, first] = [mem::alloc(), mem::alloc(), mem::alloc()];
    ok!(put_table(first, 0));
    let mut setup = GnttabSetupTable {
        dom: DOMID_SELF,
        nr_frames: 1,
        frame_list: low(list).into(),
        ..Default::default()
    };
    list.set(0, u64::MAX);
    ok!(grant(page, GNTTABOP_setup_table, &mut setup));
    same!(setup.status, GNTST_okay);
    same!(list.get(0), 0xffff_ffff_0000_0000 | pvh::gfn(first));
    let mut size = GnttabQuerySize {
        dom: DOMID_SELF,
        ..Default::default()
    };
    ok!(grant(page, GNTTABOP_query_size, &mut size));
    same!(size.status, GNTST_okay);
    check!(
        size.nr_frames >= 1 && size.max_nr_frames >= size.nr_frames,
        "{size:?}"
    );
    *TABLE.lock() = Some(first);
    Ok(())
}

/// Lets the own domain use `page` by entry `gref` of a version 1 table.
fn let_use(gref: usize, page: Page) {
    if let Some(table) = *TABLE.lock() {
        table
            .dword(gref * 2 + 1)
            .store(pvh::gfn(page) as u32, SeqCst);
        // To domain 0, this one.
        table
            .dword(gref * 2)
            .store(GTF_permit_access.into(), SeqCst);
    }
}

pub fn map() -> Outcome {
    let [page, from, to] = [mem::alloc(), mem::alloc(), mem::alloc()];
    from.set(0, 0x4321);
    let_use(9, from);
    let mut map = GnttabMapGrantRef {
        host_addr: low(to).into(),
        flags: GNTMAP_host_map,
        r#ref: 9,
        dom: 0,
        ..Default::default()
    };
    let mut gone = RemoveFromPhysmap {
        domid: DOMID_SELF,
        gpfn: pvh::gfn(to),
        ..Default::default()
    };
    ok!(op(
        page,
        nr::MEMORY_OP,
        XENMEM_remove_from_physmap,
        &mut gone
    ));
    ok!(grant(page, GNTTABOP_map_grant_ref, &mut map));
    same!(map.status, GNTST_okay);
    same!(to.get(0), 0x4321);
    let mut unmap = GnttabUnmapGrantRef {
        host_addr: low(to).into(),
        handle: map.handle,
        ..Default::default()
    };
    ok!(grant(page, GNTTABOP_unmap_grant_ref, &mut unmap));
    same!(unmap.status, GNTST_okay);
    ok!(grant(page, GNTTABOP_unmap_grant_ref, &mut unmap));
    check!(unmap.status < 0, "twice");
    Ok(())
}

pub fn copy() -> Outcome {
    let [page, from, to] = [mem::alloc(), mem::alloc(), mem::alloc()];
    let_use(10, from);
    for n in 0..512 {
        from.set(n, n as u64);
    }
    let own = |page, offset| GnttabCopyPtr {
        u: pvh::gfn(page),
        domid: DOMID_SELF,
        offset,
        ..Default::default()
    };
    let good = GnttabCopy {
        source: GnttabCopyPtr {
            u: 10,
            domid: 0,
            offset: 16,
            ..Default::default()
        },
        dest: own(to, 8),
        len: 24,
        flags: GNTCOPY_source_gref,
        ..Default::default()
    };
    let mut beyond = good;
    beyond.dest.offset = 4090;
    let mut nowhere = good;
    nowhere.dest.u = 0x7fff_ffff;
    let mut nobodys = good;
    nobodys.source.domid = 500;
    narrow::put(page, 0, &[good, beyond, nowhere, nobodys, good]);
    ok!(call(
        nr::GRANT_TABLE_OP,
        [GNTTABOP_copy, low(page), 5, 0, 0]
    ));
    let done: [GnttabCopy; 5] = narrow::take(page, 0);
    let status = done.map(|copy| copy.status);
    same!((status[0], status[4]), (GNTST_okay, GNTST_okay));
    same!(status[1], GNTST_bad_copy_arg);
    same!(status[3], GNTST_bad_domain);
    check!(status[2] < 0, "{status:?}");
    same!(
        [to.get(0), to.get(1), to.get(2), to.get(3), to.get(4)],
        [0, 2, 3, 4, 0]
    );
    Ok(())
}

pub fn bad_counts() -> Outcome {
    let page = mem::alloc();
    let with = |cmd, at, count| call(nr::GRANT_TABLE_OP, [cmd, at, count, 0, 0]);
    refused!(with(GNTTABOP_copy, low(page), u32::MAX), EINVAL);
    refused!(with(GNTTABOP_query_size, low(page), 2), EINVAL);
    refused!(with(GNTTABOP_copy, 0xffff_fff0, 1), EFAULT);
    refused!(with(GNTTABOP_copy, 0xffff_fff0, 0x7fff_ffff), EFAULT);
    same!(ok!(with(GNTTABOP_copy, 0xffff_fff0, 0)), 0);
    refused!(with(GNTTABOP_setup_table, 0xffff_fffc, 1), EFAULT);
    Ok(())
}

/// A table of version 2, and the page of its status words.
pub fn status_frames() -> Outcome {
    let [page, status] = [mem::alloc(), mem::alloc()];
    let mut version = GnttabSetVersion { version: 2 };
    ok!(grant(page, GNTTABOP_set_version, &mut version));
    same!(version.version, 2);
    ok!(put_table(status, XENMAPIDX_grant_table_status));
    let mut version = GnttabSetVersion { version: 3 };
    refused!(grant(page, GNTTABOP_set_version, &mut version), EINVAL);
    Ok(())
}
