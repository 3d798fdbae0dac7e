using TaskService.Domain;

namespace TaskService.Tests.Storage.Postgres;

public sealed class PostgresTaskStoreTests(PostgresFixture servers) : TaskStoreContract, IClassFixture<PostgresFixture>
{
    private protected override ITaskStore Create()
    {
        var database = servers.Primary.CreateDatabase();
        // 64 callers share 16 connections, however slow the machine is.
        return PostgresStore.Create(
            $"primary: '{servers.Primary.Connection(database, "Timeout=60")}', command-timeout: 60");
    }
}
