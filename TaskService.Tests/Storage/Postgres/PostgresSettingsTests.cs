using System.Net;
using Npgsql;
using TaskService.Configuration;
using TaskService.Hosting;
using TaskService.Storage.Postgres;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage.Postgres;

public sealed class PostgresSettingsTests
{
    public static TheoryData<string, string> Problems => new()
    {
        { "pool-size: 4", "primary: must be a connection string such as \"Host=localhost;Username=me\"" },
        { "primary: ''", "primary: must be a connection string such as \"Host=localhost;Username=me\"" },
        { "primary: 'Hst=a'", "primary: the keyword in place 1 is none of Npgsql, such as Host, Port, Database" },
        { "primary: 'Username=a'", "primary: must have a Host" },
        { "primary: 'Host=a,b c'", "primary: must have a Host of names and addresses, each with a port or without" },
        { "primary: 'Host=a:99999'", "primary: must have a Host of names and addresses" },
        { "primary: 'Host=[::1]:x'", "primary: must have a Host of names and addresses" },
        { "primary: 'Host=a;Port=x'", "primary: the value of port is none that Npgsql takes" },
        { "primary: 'Host=a;Minimum Pool Size=50'",
            "primary: must not have a Minimum Pool Size over the setting pool-size, which is 16" },
        { "primary: 'Host=a;MaxPoolSize=50'", "primary: must not have Maximum Pool Size, which the setting pool-size" },
        { "primary: 'Host=a', replica: 'Host=b;Command Timeout=1'",
            "replica: must not have Command Timeout, which the setting command-timeout decides" },
        { "primary: 'Host=a;Target Session Attributes=any'",
            "primary: must not have Target Session Attributes, which the settings primary and replica decide" },
        { "primary: 'Host=a;Pooling=false'", "primary: must not have Pooling, which the engine decides" },
        { "primary: 'postgres://me:pw@h/db?sslmode=require'",
            "primary: must be keywords and values such as \"Host=localhost;Username=me;Database=tasks\", not a URL" },
        { "primary: 'postgresql://h/db'", "primary: must be keywords and values such as \"Host=localhost;" },
        { "primary: 'host=h password=pw'", "primary: must be keywords and values with a ; between them, such as" },
        { "primary: 'password=pw host=h'", "primary: must be keywords and values with a ; between them, such as" },
        { "primary: 'Host=a;Password=a;b'",
            "primary: must be keywords and values such as \"Host=localhost;Username=me\", with quotes around a value" },
        { "primary: 'Host=a', pool-size: 0", "pool-size: must be a whole number from 1 to 1000, not \"0\"" },
        { "primary: 'Host=a', force-primary: ['GET (']", "force-primary: must hold regular expressions" },
        { "primary: 'Host=a', replcia: 'Host=b'", "replcia: unknown key (did you mean \"replica\"?)" },
    };

    [Theory]
    [MemberData(nameof(Problems))]
    public void Each_problem_is_reported_once_with_its_line(string members, string problem)
    {
        var error = Assert.Throws<ConfigException>(() => Read(members));
        Assert.StartsWith(
            $"test.yaml:1: task-db.postgres.{problem}", Assert.Single(error.Problems), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Host=db1;Password=hunter2;Username=me", "Host=db1;Password=***;Username=me")]
    [InlineData("Host=db1;PWD='hunter2'", "Host=db1;Password=***")]
    [InlineData("Host=db1;SSL Password=hunter2", "Host=db1;SSL Password=***")]
    [InlineData("Host=db1;Password='a user=hunter2'", "Host=db1;Password=***")]
    [InlineData("Host=db1;Options=-c a.b=hunter2", "Host=db1;Options=***")]
    public void A_password_is_never_printed(string connection, string printed)
    {
        using var output = new StringWriter();
        Read($"primary: \"{connection}\"").Source.Print(output);
        Assert.Contains($"primary: \"{printed}\"", output.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", output.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Host=::1;Port=5651", "Host=::1;Port=5652", "[::1]:5651", false)]
    [InlineData("Host=::1;Port=5651", "Host=[::1]:5652", "[::1]:5651", false)]
    [InlineData("Host=::1;Port=5651", "Host=[::1]:5651", "[::1]:5651", true)]
    [InlineData("Host=2001:DB8::1", "Host=2001:db8::2", "[2001:db8::1]:5432", false)]
    [InlineData("Host=db1:5433", "Host=db1;Port=5433", "db1:5433", true)]
    [InlineData("Host=10.0.0.1", "Host=10.0.0.1:5432", "10.0.0.1:5432", true)]
    [InlineData("Host=/run/postgresql;Port=5433", "Host=/run/postgresql", "/run/postgresql:5433", false)]
    public void Servers_are_distinguished_by_address_and_port(string primary, string replica, string address, bool same)
    {
        var one = new NpgsqlConnectionStringBuilder(primary);
        Assert.Equal(address, Assert.Single(ConnectionString.Hosts(one)));
        Assert.Equal(same, PostgresSettings.AreSameHosts(one, new NpgsqlConnectionStringBuilder(replica)));
        Read($"primary: '{primary}', replica: '{replica}'");
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

    [Trait("Suite", "long")]
    [Fact]
    public async Task The_example_configuration_reads_any_password_from_PGPASSWORD()
    {
        const string password = "a;b'c\"d=e ${f} \\";
        using var server = await PostgresServer.StartAsync();
        server.Execute("CREATE DATABASE tasks");
        server.Execute($"CREATE ROLE me LOGIN SUPERUSER PASSWORD '{password.Replace("'", "''")}'");
        server.Execute("CREATE TEMP TABLE hba (line text); INSERT INTO hba VALUES"
            + " ('host all me 127.0.0.1/32 scram-sha-256'), ('host all all 127.0.0.1/32 trust');"
            + " DO $$ BEGIN EXECUTE format('COPY hba TO %L', current_setting('hba_file')); END $$;"
            + " SELECT pg_reload_conf()");
        using var directory = new TemporaryDirectory();
        using var process = ServiceProcess.Start(
            directory.Path,
            [("PGHOSTS", server.Address), ("PGUSER", "me"), ("PGPASSWORD", password)],
            "-c", TestRoot.File("configs", "todoList-postgres.yaml"), "-p", "0");
        using var client = await process.ClientAsync();
        using var ready = await client.GetAsync(new Uri("/health/ready", UriKind.Relative));
        await PostgresService.AssertStatusAsync(HttpStatusCode.OK, ready);
        Assert.Equal(1L, server.Query(
            "SELECT count(DISTINCT usename) FROM pg_stat_activity WHERE datname = 'tasks' AND usename = 'me'"));
    }

    private static (Settings Settings, ConfigSection Source) Read(string members) => Settings.Read(
        "test.yaml",
        $$"""task-db: { postgres: { {{members}} } }""",
        new Dictionary<string, string>(),
        new CommandLineOptions());
}
