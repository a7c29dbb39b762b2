"""One module per peer, imported only in that peer's own process; see `card.peer.CardPeer`."""
