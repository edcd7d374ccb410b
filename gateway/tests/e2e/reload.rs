//! The directory changes while it is served: what is valid is live at once, what is not harms only itself, and nothing
//! that worked stops working.

mod files;
mod halves;
mod invalid;
mod keys;
mod listeners;
mod live;
mod mutations;
mod ports;
mod start;
mod witness;
