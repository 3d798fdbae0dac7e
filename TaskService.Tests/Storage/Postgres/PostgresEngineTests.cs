namespace TaskService.Tests.Storage.Postgres;

public sealed class PostgresEngineTests(PostgresFixture servers)
    : StoreContract("postgres", servers), IClassFixture<PostgresFixture>;
