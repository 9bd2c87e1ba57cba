// Package hyperlocal is the shared vocabulary of an embeddable SDK for hyperlocal commerce:
// money, quantities, identifiers, time, tenants, errors, transactions, events and paging.
//
// It holds no business rule. The bounded contexts (catalog, order, inventory, payment,
// loyalty, community, ledger) import this package and nothing else of ours; adapters import
// contexts; a host composes both.
//
// The headline is that everything commits in the host's own transaction: see [TxRunner].
//
// The smallest program that places and pays an order is examples/embed_minimal.
package hyperlocal
