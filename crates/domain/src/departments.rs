//! Sets of departments: territories of agents, and where the establishments of a company are.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Department;

/// A set of departments, one bit each: small enough to be copied with every company.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "Vec<Department>", into = "Vec<Department>")]
pub struct DepartmentSet(u128);

impl DepartmentSet {
    /// None.
    pub const EMPTY: Self = Self(0);

    /// All departments and collectivities.
    pub fn all() -> Self {
        Department::all().collect()
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many there are.
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// Adds one.
    pub fn insert(&mut self, department: Department) {
        self.0 |= 1 << department.position();
    }

    /// Whether this one is in.
    pub const fn contains(self, department: Department) -> bool {
        self.0 >> department.position() & 1 == 1
    }

    /// Whether the two have one in common.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Those in this set that are not in the other.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Its departments, in the order of their codes.
    pub fn iter(self) -> impl Iterator<Item = Department> {
        Department::all().filter(move |department| self.contains(*department))
    }
}

impl FromIterator<Department> for DepartmentSet {
    fn from_iter<I: IntoIterator<Item = Department>>(departments: I) -> Self {
        let mut set = Self::EMPTY;
        departments.into_iter().for_each(|department| set.insert(department));
        set
    }
}

impl From<Vec<Department>> for DepartmentSet {
    fn from(departments: Vec<Department>) -> Self {
        departments.into_iter().collect()
    }
}

impl From<DepartmentSet> for Vec<Department> {
    fn from(set: DepartmentSet) -> Self {
        set.iter().collect()
    }
}

impl fmt::Debug for DepartmentSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_in_and_nothing_else() {
        let codes = |set: DepartmentSet| set.iter().map(Department::code).collect::<Vec<_>>();
        let set = |codes: &[&str]| codes.iter().map(|code| code.parse::<Department>().unwrap()).collect::<DepartmentSet>();
        let some = set(&["976", "2A", "21"]);
        assert_eq!((codes(some), some.len()), (vec!["21", "2A", "976"], 3));
        assert!(some.intersects(set(&["2A", "75"])) && !some.intersects(set(&["2B"])));
        assert_eq!(some.without(set(&["21"])), set(&["2A", "976"]));
        assert_eq!(DepartmentSet::all().len() as usize, Department::all().len());
        assert!(DepartmentSet::EMPTY.is_empty());
    }
}
