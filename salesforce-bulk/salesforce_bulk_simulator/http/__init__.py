"""HTTP: the server, its certificate, requests and answers, and the faults that they meet. Nothing of an org."""
