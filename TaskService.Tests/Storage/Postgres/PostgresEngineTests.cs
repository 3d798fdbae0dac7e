namespace TaskService.Tests.Storage.Postgres;

public sealed class PostgresEngineTests() : StoreContract("postgres");
