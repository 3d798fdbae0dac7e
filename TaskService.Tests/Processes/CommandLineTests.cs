using System.Net;
using System.Net.Sockets;
using TaskService.Storage;
using TaskService.Tests.Support;

namespace TaskService.Tests.Processes;

/// <summary>The program as a shell sees it: lines, streams and exit codes.</summary>
[Trait("Suite", "integration")]
public sealed class CommandLineTests : IDisposable
{
    private const string Memory = "task-db: { memory: }\n";

    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Theory]
    [InlineData("--foo")]
    [InlineData("extra")]
    [InlineData("--port")]
    [InlineData("--port", "x")]
    [InlineData("--port", "65536")]
    [InlineData("-p", "1", "-p", "2")]
    [InlineData("--config")]
    [InlineData("--urls", "http://+:1")]
    [InlineData("--service=x")]
    [InlineData("--service:port")]
    public async Task A_wrong_command_line_is_one_line_and_exit_code_2(params string[] args)
    {
        var line = await FailAsync(2, args);
        Assert.EndsWith(" (see --help)", line, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--help", "--check-config")]
    [InlineData("-h", "--print-config")]
    [InlineData("-h", "--migrate-only")]
    public async Task Help_names_every_option(string option, string named)
    {
        using var process = ServiceProcess.Start(directory.Path, option);
        Assert.Equal(0, await process.ExitAsync());
        Assert.Contains(process.Output, line => line.Contains(named, StringComparison.Ordinal));
        Assert.Empty(process.Errors);
    }

    [Fact]
    public async Task Only_to_migrate_says_in_one_line_that_an_engine_has_no_schema()
    {
        await WriteAsync(Memory + "logging: { handlers: { console: { type: console, level: warning } } }\n");
        using var process = ServiceProcess.Start(directory.Path, "-c", "c.yaml", "--migrate-only");
        Assert.Equal(0, await process.ExitAsync());
        Assert.Equal("this storage engine has no schema to migrate", Assert.Single(process.Output));
        Assert.Empty(process.Errors);
    }

    [Fact]
    public async Task Version_is_a_number()
    {
        using var process = ServiceProcess.Start(directory.Path, "--version");
        Assert.Equal(0, await process.ExitAsync());
        Assert.Matches(@"^\d+\.\d+\.\d+", Assert.Single(process.Output));
    }

    [Fact]
    public async Task A_missing_configuration_is_78_and_names_the_file() =>
        Assert.Equal(
            "none.yaml: the configuration file cannot be read: no such file",
            await FailAsync(78, "-c", "none.yaml"));

    [Fact]
    public async Task A_wrong_configuration_is_78_with_a_line_a_problem_for_check_print_and_start()
    {
        await WriteAsync("service: { port: x }\ntask-db: { memory: , fs: d }\nloging: {}\n");
        foreach (var args in new string[][] { ["--check-config"], ["--print-config"], [] })
        {
            using var process = ServiceProcess.Start(directory.Path, [.. args, "-c", "c.yaml"]);
            Assert.Equal(78, await process.ExitAsync());
            Assert.Equal(
            [
                "c.yaml:1: service.port: must be a whole number from 0 to 65535, not \"x\"",
                "c.yaml:2: task-db.fs: memory and fs are two storage engines; "
                    + $"choose one of {StorageEngines.Names}",
                "c.yaml:3: loging: unknown key (did you mean \"logging\"?)",
            ], process.Errors);
            Assert.Empty(process.Output);
        }
    }

    [Fact]
    public async Task Check_finds_nothing_wrong_and_opens_nothing()
    {
        await WriteAsync("task-db: { fs: new/store }\nlogging: { handlers: { f: { type: file, path: new/log } } }\n");
        using var process = ServiceProcess.Start(directory.Path, "--check-config", "-c", "c.yaml");
        Assert.Equal(0, await process.ExitAsync());
        Assert.Empty(process.Errors);
        Assert.False(Directory.Exists(directory.File("new")));
    }

    [Fact]
    public async Task Check_says_on_standard_error_what_is_ignored_and_that_is_no_failure()
    {
        await WriteAsync(Memory);
        using var process = ServiceProcess.Start(
            directory.Path, [("OTEL_TRACES_SAMPLER", "xray")], "--check-config", "-c", "c.yaml");
        Assert.Equal(0, await process.ExitAsync());
        Assert.Empty(process.Output);
        Assert.StartsWith(
            "environment OTEL_TRACES_SAMPLER: telemetry.trace-probability: is ignored: ",
            Assert.Single(process.Errors),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Print_shows_the_sources()
    {
        await WriteAsync(Memory);
        using var process = ServiceProcess.Start(directory.Path, [("PORT", "9")], "--print-config", "-c", "c.yaml");
        Assert.Equal(0, await process.ExitAsync());
        Assert.Contains(process.Output, line => line.EndsWith("# environment PORT", StringComparison.Ordinal));
        Assert.Contains(process.Output, line => line.EndsWith("# c.yaml:1", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("task-db: { fs: c.yaml }",
        "taskservice: task-db.fs: c.yaml is not a usable directory: it is a file")]
    [InlineData("task-db: { fs: c.yaml/x }", "taskservice: task-db.fs: c.yaml/x is not a usable directory: ")]
    [InlineData("task-db: { fs: /proc/x }", "taskservice: task-db.fs: /proc/x is not a usable directory: ")]
    [InlineData(Memory + "logging: { handlers: { f: { type: file, path: c.yaml/x } } }",
        "taskservice: log file c.yaml/x cannot be written: ")]
    [InlineData(Memory + "logging: { handlers: { f: { type: file, path: /dev/stdout } } }",
        "taskservice: log file /dev/stdout cannot be written: it is not a regular file")]
    [InlineData(Memory + "logging: { handlers: { f: { type: file, path: /proc/x } } }",
        "taskservice: log file /proc/x cannot be written: ")]
    public async Task What_cannot_be_opened_is_one_line_and_exit_code_1(string yaml, string message)
    {
        await WriteAsync(yaml);
        Assert.StartsWith(message, await FailAsync(1, "-c", "c.yaml", "-p", "0"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("memory:")]
    [InlineData("fs: store")]
    public async Task A_used_port_is_one_line_and_exit_code_1_on_every_engine(string taskDb)
    {
        using var other = new TcpListener(IPAddress.Any, 0);
        other.Start();
        var port = ((IPEndPoint)other.LocalEndpoint).Port;
        await WriteAsync($"task-db: {{ {taskDb} }}\n");
        Assert.Equal(
            $"taskservice: cannot listen on 0.0.0.0:{port}: Address already in use",
            await FailAsync(1, "-c", "c.yaml", "-p", $"{port}"));
    }

    [Fact]
    public async Task Without_a_file_the_one_beside_the_binary_is_used_and_nothing_else_is_read()
    {
        await File.WriteAllTextAsync(
            directory.File("appsettings.json"), "{ this is nobody's business");
        using var process = ServiceProcess.Start(directory.Path, "-p", "0");
        var address = await process.ListeningAsync();
        using var client = new HttpClient { BaseAddress = address };
        Assert.Equal("{}", await client.GetStringAsync(new Uri("/tasks", UriKind.Relative)));
        Assert.True(File.Exists(directory.File("logs/taskservice.log")));
        process.Signal("TERM");
        Assert.Equal(0, await process.ExitAsync());
        Assert.Empty(process.Errors);
    }

    private Task WriteAsync(string yaml) => File.WriteAllTextAsync(directory.File("c.yaml"), yaml);

    private async Task<string> FailAsync(int code, params string[] args)
    {
        using var process = ServiceProcess.Start(directory.Path, args);
        Assert.Equal(code, await process.ExitAsync());
        Assert.Empty(process.Output);
        return Assert.Single(process.Errors);
    }
}
