"""One machine: PostgreSQL, Valkey and Slipway's own processes under one small supervisor.

processes, ports, sockets → postgres, valkey → services (the table) → supervisor ⇄ control (the channel)
"""
