//! The features that a kernel supports or requires, by the names in `features.h`.

use super::LoadError;
use xen_abi::version::FEATURES;

/// Two sets of features, one bit for each `XENFEAT_*` number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// The kernel can work with these.
    pub supported: u32,
    /// The kernel cannot work without these; a subset of `supported`.
    pub required: u32,
}

impl Features {
    /// Adds the features in `list`: names with `|` between them, `!` before a required one.
    /// A name that is not known is passed over unless it is required.
    ///
    /// # Errors
    /// [`LoadError::UnknownFeature`] with the position of an unknown required feature.
    pub fn add_list(&mut self, list: &str) -> Result<(), LoadError> {
        for (index, item) in list.split('|').enumerate() {
            let (name, required) = match item.strip_prefix('!') {
                Some(name) => (name, true),
                None => (item, false),
            };
            let known = FEATURES
                .iter()
                .find(|(full, _)| full.strip_prefix("XENFEAT_") == Some(name));
            match known {
                Some(&(_, bit)) => {
                    let mask = 1u32.checked_shl(bit).unwrap_or(0);
                    self.supported |= mask;
                    self.required |= if required { mask } else { 0 };
                }
                None if required => return Err(LoadError::UnknownFeature(index)),
                None => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_bits() {
        let mut features = Features::default();
        features
            .add_list("!writable_page_tables|dom0|from_the_future||")
            .unwrap();
        assert_eq!(
            features,
            Features {
                supported: 1 | 1 << 11,
                required: 1
            }
        );
    }

    #[test]
    fn an_unknown_required_feature_is_an_error() {
        let mut features = Features::default();
        assert_eq!(
            features.add_list("dom0|!telepathy"),
            Err(LoadError::UnknownFeature(1))
        );
    }
}
