//! What can be reached, by whom; and what is said there that means something else to somebody: hosts, names, bodies,
//! objects of others.

mod admin_doors;
mod bodies;
mod browsers;
mod defaults;
mod hosts;
mod names;
mod queries;
mod tenants;
