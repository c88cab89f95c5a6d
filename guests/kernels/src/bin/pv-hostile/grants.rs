//! Grants that nobody gave.

use guest_rt::console::is_guest;
use guest_rt::harness::Outcome;
use guest_rt::{check, hypercall, mem, same};
use xen_abi::grant_table::*;
use xen_abi::xen::DOMID_SELF;

pub fn map() -> Outcome {
    let window = mem::alloc();
    let map = |dom, r#ref, host_addr, flags| {
        let mut arg = GnttabMapGrantRef {
            host_addr,
            flags,
            r#ref,
            dom,
            ..Default::default()
        };
        let result = hypercall::grant(GNTTABOP_map_grant_ref, &mut arg);
        (result, arg.status)
    };
    same!(
        map(77, 1, window.va(), GNTMAP_host_map),
        (Ok(0), GNTST_bad_domain)
    );
    same!(
        map(0, 100, window.va(), GNTMAP_host_map),
        (Ok(0), GNTST_general_error)
    );
    same!(
        map(0, u32::MAX, window.va(), GNTMAP_host_map),
        (Ok(0), GNTST_bad_gntref)
    );
    same!(map(0, 100, window.va(), 0), (Ok(0), GNTST_bad_gntref));
    window.set(0, 1);
    Ok(())
}

pub fn unmap() -> Outcome {
    for handle in [0, 1, 1000, u32::MAX] {
        let mut arg = GnttabUnmapGrantRef {
            host_addr: mem::alloc().va(),
            handle,
            ..Default::default()
        };
        same!(hypercall::grant(GNTTABOP_unmap_grant_ref, &mut arg), Ok(0));
        same!(arg.status, GNTST_bad_handle);
    }
    Ok(())
}

pub fn copy() -> Outcome {
    let page = mem::alloc();
    let own = GnttabCopyPtr {
        u: page.mfn(),
        domid: DOMID_SELF,
        offset: 0,
        _pad0: 0,
    };
    let copy = |source, dest, len, flags| {
        let mut arg = GnttabCopy {
            source,
            dest,
            len,
            flags,
            status: 99,
            _pad0: 0,
        };
        let result = hypercall::grant(GNTTABOP_copy, &mut arg);
        (result, arg.status)
    };
    let at = |u, domid, offset| GnttabCopyPtr {
        u,
        domid,
        offset,
        _pad0: 0,
    };
    same!(
        copy(at(super::free_frame(), DOMID_SELF, 0), own, 8, 0),
        (Ok(0), GNTST_bad_page)
    );
    same!(
        copy(own, at(super::free_frame(), DOMID_SELF, 0), 8, 0),
        (Ok(0), GNTST_bad_page)
    );
    same!(
        copy(own, at(mem::boot_l4_mfn(), DOMID_SELF, 0), 8, 0),
        (Ok(0), GNTST_general_error)
    );
    // Xen tells a guest that there is no such domain, and dom0 that it may not.
    let nobody = copy(own, at(page.mfn(), 77, 0), 8, 0);
    check!(
        nobody == (Ok(0), GNTST_permission_denied)
            || is_guest() && nobody == (Ok(0), GNTST_bad_domain),
        "{nobody:?}"
    );
    same!(
        copy(at(5, 77, 0), own, 8, GNTCOPY_source_gref),
        (Ok(0), GNTST_bad_domain)
    );
    same!(
        copy(at(page.mfn(), DOMID_SELF, 4090), own, 8, 0),
        (Ok(0), GNTST_bad_copy_arg)
    );
    Ok(())
}

pub fn sizes() -> Outcome {
    let mut size = GnttabQuerySize {
        dom: 77,
        ..Default::default()
    };
    same!(hypercall::grant(GNTTABOP_query_size, &mut size), Ok(0));
    same!(size.status, GNTST_bad_domain);
    let mut setup = GnttabSetupTable {
        dom: 77,
        nr_frames: 1,
        ..Default::default()
    };
    same!(hypercall::grant(GNTTABOP_setup_table, &mut setup), Ok(0));
    same!(setup.status, GNTST_bad_domain);
    setup = GnttabSetupTable {
        dom: DOMID_SELF,
        nr_frames: u32::MAX,
        ..Default::default()
    };
    same!(hypercall::grant(GNTTABOP_setup_table, &mut setup), Ok(0));
    same!(setup.status, GNTST_general_error);
    Ok(())
}
