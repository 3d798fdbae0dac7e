using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using TaskService.Tests.Support;

namespace TaskService.Tests.Docs;

/// <summary>
/// The image that the SDK makes, on a base image of nothing, from a registry of the test: what is in it and how it is
/// started.
/// </summary>
[Trait("Suite", "long")]
public sealed class ContainerImageTests
{
    private const string Manifest = "application/vnd.docker.distribution.manifest.v2+json";

    // As the tests were built.
    private static string Configuration { get; } = new DirectoryInfo(AppContext.BaseDirectory).Parent!.Name;

    [Fact]
    public async Task The_image_is_not_root_and_has_the_configuration_that_it_starts_with()
    {
        await using var registry = await StubServer.StartAsync(AnswerAsync);
        using var directory = new TemporaryDirectory();
        var archive = directory.File("image.tar");
        await DotnetCommand.AssertRunsAsync(
            TestRoot.Path, "publish", "TaskService", "--no-build", "--nologo", "-t:PublishContainer",
            $"-p:Configuration={Configuration}",
            $"-p:ContainerBaseImage=localhost:{registry.Url.Port}/base:1", "-p:ContainerImageTag=1.2.3",
            $"-p:ContainerArchiveOutputPath={archive}", $"-p:PublishDir={directory.File("publish")}/");
        await TarFile.ExtractToDirectoryAsync(archive, directory.Path, overwriteFiles: false);
        var image = JsonElement.Parse(await File.ReadAllTextAsync(directory.File("manifest.json")))[0];
        Assert.EndsWith(":1.2.3", image.GetProperty("RepoTags")[0].GetString());

        var file = directory.File(image.GetProperty("Config").GetString()!);
        var config = JsonElement.Parse(await File.ReadAllTextAsync(file)).GetProperty("config");
        Assert.Equal("1654", config.GetProperty("User").GetString());
        Assert.True(config.GetProperty("ExposedPorts").TryGetProperty("8080/tcp", out _));
        Assert.Equal("/app/", config.GetProperty("WorkingDir").GetString());
        Assert.Equal(
            ["--config", "/app/configs/todoList-container.yaml"],
            config.GetProperty("Cmd").EnumerateArray().Select(each => each.GetString()));

        var layer = directory.File(image.GetProperty("Layers").EnumerateArray().Last().GetString()!);
        var files = await FilesAsync(layer);
        Assert.Contains("app/configs/todoList-container.yaml", files);
        var program = config.GetProperty("Entrypoint").EnumerateArray().Last().GetString()!;
        Assert.Contains(program.TrimStart('/'), files);
    }

    private static async Task<List<string>> FilesAsync(string layer)
    {
        await using var coded = File.OpenRead(layer);
        await using var plain = new GZipStream(coded, CompressionMode.Decompress);
        await using var tar = new TarReader(plain);
        var files = new List<string>();
        while (await tar.GetNextEntryAsync() is { } entry)
        {
            files.Add(entry.Name.TrimStart('/'));
        }
        return files;
    }

    /// <summary>A registry with one image of one layer without files.</summary>
    private static async Task AnswerAsync(HttpContext http)
    {
        var tar = new byte[1024];
        using var coded = new MemoryStream();
        await using (var gzip = new GZipStream(coded, CompressionLevel.Optimal, leaveOpen: true))
        {
            gzip.Write(tar);
        }
        var layer = coded.ToArray();
        var config = Encoding.UTF8.GetBytes($$"""
            {"architecture":"amd64","os":"linux","config":{"Env":["ASPNETCORE_HTTP_PORTS=8080"]},
             "rootfs":{"type":"layers","diff_ids":["{{Digest(tar)}}"]},"history":[]}
            """);
        var manifest = Encoding.UTF8.GetBytes($$"""
            {"schemaVersion":2,"mediaType":"{{Manifest}}",
             "config":{"mediaType":"application/vnd.docker.container.image.v1+json",
               "size":{{config.Length}},"digest":"{{Digest(config)}}"},
             "layers":[{"mediaType":"application/vnd.docker.image.rootfs.diff.tar.gzip",
               "size":{{layer.Length}},"digest":"{{Digest(layer)}}"}]}
            """);
        var path = http.Request.Path.Value!;
        var isManifest = path.Contains("/manifests/", StringComparison.Ordinal);
        var body = isManifest ? manifest : path.EndsWith(Digest(config), StringComparison.Ordinal) ? config : layer;
        http.Response.ContentType = isManifest ? Manifest : "application/octet-stream";
        http.Response.ContentLength = body.Length;
        http.Response.Headers["Docker-Content-Digest"] = Digest(body);
        if (HttpMethods.IsGet(http.Request.Method))
        {
            await http.Response.Body.WriteAsync(body);
        }
    }

    private static string Digest(byte[] bytes) => $"sha256:{Convert.ToHexStringLower(SHA256.HashData(bytes))}";
}
