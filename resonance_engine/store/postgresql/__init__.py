"""The sidecar in a PostgreSQL database with pgvector, which several machines share.

In: the address of a database. Out: the transactions that the tables of the store work in. psycopg is loaded by a
connection, SQLAlchemy and pgvector by the first write.
"""
