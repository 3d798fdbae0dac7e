using TaskService.Domain;

namespace TaskService.Tests.Storage.Postgres;

public sealed class PostgresTaskStoreTests(PostgresFixture servers) : TaskStoreContract, IClassFixture<PostgresFixture>
{
    private protected override ITaskStore Create()
    {
        var database = servers.Primary.CreateDatabase();
        return PostgresStore.Create($"primary: '{servers.Primary.Connection(database)}'");
    }
}
