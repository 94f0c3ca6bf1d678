"""What the simulator is compared with: small ones here, given its programs and tasks, and in
`apart` all of it written a second time, which shares nothing with the product."""
