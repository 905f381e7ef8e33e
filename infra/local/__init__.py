"""One machine: PostgreSQL, Valkey and Slipway's own processes under one small supervisor.

processes, addresses → postgres, valkey → site → services (the table) → watched (ours), external (the person's)
→ supervisor ⇄ control (the channel) → launch (up and down), overview (status), doctor
"""
