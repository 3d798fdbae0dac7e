using System.Net;
using TaskService.Domain;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage.Postgres;

/// <summary>A create that is sent again with its key makes one task, whatever became of the first answer.</summary>
[Trait("Suite", "long")]
public sealed class RetryTests(PostgresFixture servers) : IClassFixture<PostgresFixture>
{
    private const string Body = """{"title":"once"}""";
    private static readonly Uri Tasks = new("/tasks", UriKind.Relative);

    private static CancellationToken Cancel => CancellationToken.None;

    [Fact]
    public async Task A_commit_whose_reply_is_lost_is_503_and_the_retry_finds_its_task()
    {
        var database = servers.Primary.CreateDatabase();
        using var proxy = new TcpProxy(servers.Primary.Port);
        await using var service = await RunningService.StartAsync(
            $$"""
            postgres: { primary: 'Host=127.0.0.1;Port={{proxy.Port}};Username=postgres;Database={{database}}' }
            """);
        for (var round = 0; round < TestRoot.Scale(3, 30); round++)
        {
            // The text of the task goes with the create, and not with the look-up of the key.
            proxy.LosesAnswersTo = "once";
            using var lost = await CreateAsync(service, $"key-{round}");
            await PostgresService.AssertStatusAsync(HttpStatusCode.ServiceUnavailable, lost);
            proxy.LosesAnswersTo = null;
            await Until.TrueAsync(
                () => (long)servers.Primary.Query("SELECT count(*) FROM tasks", database)! == round + 1,
                "the task whose reply was lost");
            using var retry = await CreateAsync(service, $"key-{round}");
            await PostgresService.AssertStatusAsync(HttpStatusCode.Created, retry);
            Assert.Equal((long)round + 1, servers.Primary.Query("SELECT count(*) FROM tasks", database));
        }
    }

    [Fact]
    public async Task A_read_of_a_lost_server_retries_no_longer_than_a_change()
    {
        var database = servers.Primary.CreateDatabase();
        using var proxy = new TcpProxy(servers.Primary.Port);
        await using var service = await RunningService.StartAsync(
            $"postgres: {{ primary: 'Host=127.0.0.1;Port={proxy.Port};Username=postgres;Database={database};"
            + "SSL Mode=Disable;GSS Encryption Mode=Disable' }");
        proxy.Refuses = true;
        servers.Primary.Execute(
            $"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'");
        // Those of the pool are gone after this one.
        using var first = await CreateAsync(service, "first");
        foreach (var path in new[] { "/tasks", "/tasks/a", "/health/ready" })
        {
            var before = proxy.Refused;
            using var read = await service.SendAsync("GET", path);
            await PostgresService.AssertStatusAsync(HttpStatusCode.ServiceUnavailable, read);
            // A try each 0.1 s for 1.4 s, for which Npgsql 10.0.3 connects twice to the only host.
            Assert.InRange(proxy.Refused - before, 1, 30);
        }
    }

    [Fact]
    public async Task Concurrent_retries_at_two_instances_create_one_task()
    {
        var database = servers.Primary.CreateDatabase();
        await using var one = await PostgresService.StartAsync(servers.Primary, database: database);
        await using var two = await PostgresService.StartAsync(servers.Primary, database: database);
        for (var round = 0; round < TestRoot.Scale(5, 100); round++)
        {
            var key = $"key-{round}";
            var answers = await Task.WhenAll(
                Enumerable.Range(0, 16).Select(i => CreateAsync(i % 2 == 0 ? one : two, key)));
            var created = answers.Where(answer => answer.StatusCode == HttpStatusCode.Created).ToList();
            Assert.Single(created.Select(answer => answer.Headers.Location!.OriginalString).Distinct());
            Assert.All(answers.Except(created), answer => Assert.Equal(HttpStatusCode.Conflict, answer.StatusCode));
        }
        Assert.Equal((long)TestRoot.Scale(5, 100), servers.Primary.Query("SELECT count(*) FROM tasks", database));
    }

    [Fact]
    public async Task A_key_of_another_process_creates_no_task_until_it_expires()
    {
        var database = servers.Primary.CreateDatabase();
        await using var store = Store(database);
        await store.OpenAsync(Cancel);
        var now = new DateTimeOffset(2026, 11, 25, 12, 0, 0, TimeSpan.Zero);
        var (first, second) = (Some.Task("a"), Some.Task("b"));
        Assert.Null(await store.CreateAsync(first, RecordOf(first, now), Cancel));
        Assert.Equal(ErrorKind.IdTaken, await store.CreateAsync(second, RecordOf(second, now.AddHours(23)), Cancel));
        Assert.Null(await store.FindAsync("b", Cancel));
        Assert.Equal(RecordOf(first, now), await store.FindKeyAsync("key", Cancel));
        // Neither does a task whose id is taken leave a key behind.
        var other = RecordOf(first, now) with { Key = "other" };
        Assert.Equal(ErrorKind.IdTaken, await store.CreateAsync(first, other, Cancel));
        Assert.Null(await store.FindKeyAsync("other", Cancel));

        Assert.Null(await store.CreateAsync(second, RecordOf(second, now.AddHours(24)), Cancel));
        Assert.Equal("b", (await store.FindKeyAsync("key", Cancel))!.Id);
    }

    [Fact]
    public async Task Expired_keys_are_deleted_by_creates_with_new_ones()
    {
        var database = servers.Primary.CreateDatabase();
        await using var store = Store(database);
        await store.OpenAsync(Cancel);
        servers.Primary.Execute(
            "INSERT INTO idempotency_keys SELECT 'old' || n, '0', 'a', '0', n FROM generate_series(1, 1200) n",
            database);
        var now = new DateTimeOffset(2026, 11, 25, 12, 0, 0, TimeSpan.Zero);
        foreach (var (name, left) in new[] { ("a", 701L), ("b", 202L), ("c", 3L) })
        {
            var task = Some.Task(name);
            Assert.Null(await store.CreateAsync(task, RecordOf(task, now) with { Key = name }, Cancel));
            Assert.Equal(left, servers.Primary.Query("SELECT count(*) FROM idempotency_keys", database));
        }
    }

    private static IdempotencyRecord RecordOf(Stored<TaskEntry> task, DateTimeOffset now) =>
        new("key", UInt128.MaxValue, task.Id, task.Version, now);

    private static async Task<HttpResponseMessage> CreateAsync(RunningService service, string key)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, Tasks);
        request.Content = RunningService.Json(Body);
        request.Headers.Add("Idempotency-Key", key);
        return await service.Client.SendAsync(request);
    }

    private TaskStore Store(string database) =>
        PostgresTaskStore.Create($"primary: '{servers.Primary.Connection(database)}'");
}
