//! Who holds which frame.

use super::super::world::World;
use crate::domain::{Domain, Vcpu};
use alloc::string::String;
use machine::arch::sim::Tokens;
use machine::{Page, PageType};

const WRITABLE: Option<PageType> = Some(PageType::Writable);

/// Compares what is held with what is counted.
pub fn check(world: &World) -> Result<(), String> {
    let mut tokens = world.machine.tokens();
    for dom in world.domains() {
        domain(world, &dom, &mut tokens);
    }
    tokens.compare()
}

fn domain(world: &World, dom: &Domain, tokens: &mut Tokens) {
    let mem = world.hv.mem;
    let mut at = dom.pages.first();
    while let Some(mfn) = at {
        if mem.frame(mfn).is_some_and(|info| info.is_allocated()) {
            tokens.add_mfn(mfn.0, None);
        }
        at = dom.pages.next(mem, mfn);
    }
    tokens.add(&dom.shared_info, WRITABLE);
    dom.each_left_table(|page| table(page, tokens));
    let grants = dom.grants.table.lock();
    for page in grants.pages() {
        tokens.add(page, WRITABLE);
    }
    for active in grants.all_active() {
        if let Some(page) = &active.page {
            tokens.add(page, active.typed.then_some(PageType::Writable));
        }
    }
    drop(grants);
    crate::event::inspect::each_frame(dom, |page| tokens.add(page, WRITABLE));
    dom.irqs.each_frame(|page| tokens.add(page, WRITABLE));
    for one in dom.all_vcpus() {
        vcpu(dom, one, tokens);
    }
}

/// A table that is held as what it is.
fn table(page: &Page, tokens: &mut Tokens) {
    tokens.add(page, Some(page.info().page_type().0));
}

fn vcpu(dom: &Domain, vcpu: &Vcpu, tokens: &mut Tokens) {
    if vcpu.has_default_info() {
        tokens.add(&dom.shared_info, WRITABLE);
    }
    if let Some(area) = vcpu.info_area.get() {
        tokens.add(area.page(), WRITABLE);
    }
    crate::time::each_frame(vcpu, |page| tokens.add(page, WRITABLE));
    let state = vcpu.state.lock();
    for root in state.root.iter().chain(&state.user_root) {
        tokens.add(root, Some(PageType::L4));
    }
    for page in state.pv.gdt.iter().flatten().chain(&state.pv.ldt) {
        tokens.add(page, Some(PageType::SegDesc));
    }
    for page in &state.old_tables {
        table(page, tokens);
    }
}
