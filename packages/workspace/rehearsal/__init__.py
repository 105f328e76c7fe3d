"""The stand-ins a rehearsal runs against: loopback only, one module each, ignorant of the code they test."""
