//! `xsm`: the policy of who may deal with whom.

use super::Options;
use super::value::{Parsed, Value};
use crate::xsm::Policy;

pub(super) fn xsm(options: &mut Options, value: Value<'_>) -> Parsed {
    options.xsm = match value.required()? {
        "dummy" => Policy::Dummy,
        "silo" => Policy::Silo,
        "flask" => return Err("there are no labels here: dummy or silo"),
        _ => return Err("dummy or silo is expected"),
    };
    Ok(())
}
