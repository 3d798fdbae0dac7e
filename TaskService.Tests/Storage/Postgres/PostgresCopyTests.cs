using TaskService.Tests.Hosting;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage.Postgres;

/// <summary>The command <c>copy</c>, from and to PostgreSQL.</summary>
[Trait("Suite", "long")]
public sealed class PostgresCopyTests : StoreCopies
{
    [Fact]
    public async Task PostgreSQL_is_copied_to_and_from_and_its_password_never_said()
    {
        using var server = await PostgresServer.StartAsync();
        var place = $"{{ primary: \"{server.Connection(server.CreateDatabase(), "Password=secret")}\" }}";
        string path, body;
        await using (var service = await StartAsync("fs", "store"))
        {
            path = await service.CreateAsync("""{"title":"first","due_date":0.000001}""");
            body = await service.Client.GetStringAsync(new Uri(path, UriKind.Relative));
            await service.CreateAsync(Some.TaskJson);
        }
        Assert.Equal("copied 2 tasks from fs:store to postgres", await CopyAsync("fs:store", $"postgres:{place}"));
        Assert.Equal(
            "copied 2 tasks from postgres to fs:back", await CopyAsync($"postgres:{place}", "fs:back"));
        Assert.Matches(
            "^taskservice: --to: postgres holds tasks already, such as [0-9a-f]{32}; nothing was copied$",
            await FailAsync(1, "copy", "--from", "fs:store", "--to", $"postgres:{place}"));
        var empty = server.Connection(server.CreateDatabase());
        Assert.EndsWith(
            "cannot be used: relation \"schema_migrations\" does not exist",
            await RefusedAsync($"postgres:{{ primary: \"{empty}\" }}", "fs:new"),
            StringComparison.Ordinal);
        Assert.False(Directory.Exists(Files.File("new")));
        await using var back = await StartAsync("fs", "back");
        Assert.Equal(body, await back.Client.GetStringAsync(new Uri(path, UriKind.Relative)));
    }

    [Theory]
    [InlineData(
        78,
        "--to:1: task-db.postgres.primry: unknown key (did you mean \"primary\"?)",
        "copy", "--from", "fs:x", "--to", "postgres:{ primry: x }")]
    [InlineData(
        1,
        "taskservice: task-db.postgres: 127.0.0.1:1 cannot be used: Connection refused",
        "copy", "--from", "postgres:{ primary: 'Host=127.0.0.1;Port=1;Username=u' }", "--to", "fs:y")]
    public async Task What_is_wrong_is_said_in_one_line_and_nothing_is_created(
        int code, string line, params string[] args)
    {
        Assert.Contains(line, await FailAsync(code, args), StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(Files.Path));
    }
}
