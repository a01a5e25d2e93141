//! One search: by the graphs that serve it, then a scan of the rest.

use super::found::Work;
use super::graph::GraphSearch;
use super::plan::{has_graph, widened, width};
use super::quantise::Query;
use super::reader::Shared;
use super::scan::{Scan, Scored};
use super::scope::Scope;

/// One search under way.
pub(super) struct Search<'a> {
    /// What the readers have in common.
    pub(super) shared: &'a Shared,
    /// What is looked for.
    pub(super) query: &'a Query,
    /// How many hits are asked for.
    pub(super) depth: usize,
    /// What it cost until now.
    pub(super) work: Work,
}

impl Search<'_> {
    /// Searches the graphs, if they are to be searched; gives what it found, and the scopes that are left to scan.
    pub(super) fn graphs<'s>(
        &mut self,
        scopes: &'s [Scope<'s>],
        by_graphs: bool,
    ) -> (Vec<Scored>, Vec<(u32, &'s Scope<'s>)>) {
        let (mut scored, mut left, mut widths) = (Vec::new(), Vec::new(), 0.0);
        let begun = self.shared.options.clock.elapsed();
        for (number, scope) in (0..).zip(scopes) {
            match if by_graphs && has_graph(scope) { self.graph(number, scope) } else { None } {
                Some(found) => {
                    scored.extend(found);
                    widths += widened(scope, self.depth);
                }
                None => left.push((number, scope)),
            }
        }
        let took = self.shared.options.clock.elapsed().saturating_sub(begun);
        self.shared.costs.graph_took(took, widths);
        (scored, left)
    }

    /// Searches a graph, and scores what no search of it reaches; `None` where a scan is the better way after all.
    fn graph(&mut self, number: u32, scope: &Scope<'_>) -> Option<Vec<Scored>> {
        let (kernel, query, set) = (self.shared.kernel, self.query, scope.set.as_ref());
        let graph = set.graph.get()?;
        let search = GraphSearch { kernel, query, set, graph };
        let (found, visited) = search.run(width(self.depth), |ordinal| scope.keeps(ordinal))?;
        let side = graph.side().filter(|ordinal| scope.keeps(*ordinal));
        let side = side.filter_map(|ordinal| Some((ordinal, set.cosine(kernel, query, ordinal)?)));
        self.work.graphs += 1;
        self.work.visited += u64::from(visited);
        let scored = found.into_iter().chain(side);
        let mut scored: Vec<Scored> =
            scored.map(|(ordinal, cosine)| Scored { cosine, scope: number, ordinal }).collect();
        // A search can reach what it did not reach when the graph was built.
        scored.sort_unstable_by_key(|scored| scored.ordinal);
        scored.dedup_by_key(|scored| scored.ordinal);
        Some(scored)
    }

    /// Scans scopes.
    pub(super) fn scan(&mut self, scopes: &[(u32, &Scope<'_>)]) -> Vec<Scored> {
        let begun = self.shared.options.clock.elapsed();
        let before = self.work.scanned;
        let scored = Scan { kernel: self.shared.kernel, query: self.query, scopes }.run(&mut self.work);
        let took = self.shared.options.clock.elapsed().saturating_sub(begun);
        self.shared.costs.scan_took(took, self.work.scanned - before);
        scored
    }
}
