using TaskService.Configuration;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage.Postgres;

public sealed class PostgresSettingsTests
{
    public static TheoryData<string, string> Problems => new()
    {
        { "pool-size: 4", "primary: must be a connection string such as \"Host=localhost;Username=me\"" },
        { "primary: 'Hst=a'", "primary: is not a connection string of Npgsql: Couldn't set hst (Parameter 'hst')" },
        { "primary: 'Username=a'", "primary: must have a Host" },
        { "primary: 'Host=a;Minimum Pool Size=50'",
            "primary: is not a connection string of Npgsql: Connection can't have 'Max Pool Size' 16 under" },
        { "primary: 'Host=a;Target Session Attributes=any'",
            "primary: must not have Target Session Attributes, which the engine decides" },
        { "primary: 'Host=a', pool-size: 0", "pool-size: must be a whole number from 1 to 1000, not \"0\"" },
        { "primary: 'Host=a', force-primary: ['GET (']", "force-primary: must hold regular expressions" },
        { "primary: 'Host=a', replcia: 'Host=b'", "replcia: unknown key (did you mean \"replica\"?)" },
    };

    [Theory]
    [MemberData(nameof(Problems))]
    public void What_is_wrong_is_said_once_with_its_place(string members, string problem)
    {
        var error = Assert.Throws<ConfigException>(() => Read(members));
        Assert.StartsWith(
            $"test.yaml:1: task-db.postgres.{problem}", Assert.Single(error.Problems), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Host=db1;Password=hunter2;Username=me", "Host=db1;Password=***;Username=me")]
    [InlineData("Host=db1;PWD='hunter2'", "Host=db1;Password=***")]
    [InlineData("Host=db1;SSL Password=hunter2", "Host=db1;SSL Password=***")]
    public void A_password_is_never_printed(string connection, string printed)
    {
        using var output = new StringWriter();
        Read($"primary: \"{connection}\"").Source.Print(output);
        Assert.Contains($"primary: \"{printed}\"", output.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_password_is_not_in_the_message_about_a_connection_string_that_is_wrong()
    {
        var error = Assert.Throws<ConfigException>(() => Read("primary: 'Host=a;Prt=1;Password=hunter2'"));
        Assert.DoesNotContain("hunter2", string.Join('\n', error.Problems), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_is_not_there_is_one_line_with_its_address_and_exit_code_1()
    {
        using var directory = new TemporaryDirectory();
        await File.WriteAllTextAsync(
            directory.File("c.yaml"),
            "task-db: { postgres: { primary: 'Host=127.0.0.1;Port=1;Username=me;Password=hunter2' } }\n");
        using var process = ServiceProcess.Start(directory.Path, "-c", "c.yaml", "-p", "0");
        Assert.Equal(1, await process.ExitAsync());
        Assert.Equal(
            ["taskservice: task-db.postgres: 127.0.0.1:1 cannot be used: Connection refused"], process.Errors);
    }

    [Fact]
    public async Task The_configuration_that_comes_along_names_no_password_and_is_right()
    {
        using var directory = new TemporaryDirectory();
        using var process = ServiceProcess.Start(
            directory.Path, [("PGPASSWORD", "hunter2")],
            "-c", TestRoot.File("configs", "todoList-postgres.yaml"), "--print-config");
        Assert.Equal(0, await process.ExitAsync());
        Assert.Contains(process.Output, line => line.Contains("Password=***", StringComparison.Ordinal));
        Assert.DoesNotContain(process.Output, line => line.Contains("hunter2", StringComparison.Ordinal));
    }

    private static (Settings Settings, ConfigSection Source) Read(string members) => Settings.Read(
        "test.yaml",
        $$"""task-db: { postgres: { {{members}} } }""",
        new Dictionary<string, string>(),
        new CommandLineOptions());
}
