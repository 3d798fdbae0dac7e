using System.Buffers;
using System.Reflection;
using System.Text.Json;

namespace TaskService.Operations;

/// <summary>
/// <c>{"main":{"git_hash","git_tag"},"packages":{name:version}}</c>, from the metadata of the assembly, or from a file
/// beside the binary. <c>git_hash</c> is null when the build had no repository, and <c>git_tag</c> is only there when
/// the commit has one.
/// </summary>
internal static class BuildVersions
{
    private const string FileName = "versions.json";

    // Names of the project file.
    private const string HashKey = "GitHash";
    private const string TagKey = "GitTag";
    private const string LockFile = "packages.lock.json";

    /// <summary>The file of the directory as it is; what the build knows where there is none.</summary>
    /// <exception cref="IOException">The file cannot be read, or is no JSON object.</exception>
    public static byte[] Read(string directory)
    {
        var path = Path.Combine(directory, FileName);
        if (!File.Exists(path))
        {
            return ToJson(MetadataOf(TagKey), MetadataOf(HashKey), isIndented: false);
        }
        var text = File.ReadAllBytes(path);
        try
        {
            using var json = JsonDocument.Parse(text);
            return json.RootElement.ValueKind == JsonValueKind.Object ? text
                : throw new IOException($"{path} is no JSON object");
        }
        catch (JsonException error)
        {
            throw new IOException($"{path} is no JSON: {error.Message}", error);
        }
    }

    /// <summary>Writes the file, with the packages of this build, for a build that has no repository.</summary>
    /// <param name="directory">Where.</param>
    /// <param name="tag">Null for none.</param>
    /// <param name="hash">Of the commit.</param>
    /// <exception cref="IOException">It cannot be written.</exception>
    public static void Write(string directory, string? tag, string hash) =>
        File.WriteAllBytes(Path.Combine(directory, FileName), [.. ToJson(tag, hash, isIndented: true), (byte)'\n']);

    private static string? MetadataOf(string key) => typeof(BuildVersions).Assembly
        .GetCustomAttributes<AssemblyMetadataAttribute>().FirstOrDefault(one => one.Key == key)?.Value;

    private static byte[] ToJson(string? tag, string? hash, bool isIndented)
    {
        var body = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(body, new() { Indented = isIndented, NewLine = "\n" }))
        {
            json.WriteStartObject();
            json.WriteStartObject("main");
            json.WriteString("git_hash", hash);
            if (tag is not null)
            {
                json.WriteString("git_tag", tag);
            }
            json.WriteEndObject();
            json.WriteStartObject("packages");
            foreach (var (name, version) in Packages())
            {
                json.WriteString(name, version);
            }
            json.WriteEndObject();
            json.WriteEndObject();
        }
        return body.WrittenSpan.ToArray();
    }

    /// <summary>
    /// The restored packages of the lock file. It is a resource, since a program that is published as a single file has
    /// no <c>.deps.json</c> to read.
    /// </summary>
    private static SortedDictionary<string, string> Packages()
    {
        var packages = new SortedDictionary<string, string>(StringComparer.Ordinal);
        using var stream = typeof(BuildVersions).Assembly.GetManifestResourceStream(LockFile);
        if (stream is null)
        {
            return packages;
        }
        using var json = JsonDocument.Parse(stream);
        foreach (var framework in json.RootElement.GetProperty("dependencies").EnumerateObject())
        {
            foreach (var package in framework.Value.EnumerateObject())
            {
                // Projects of the solution have none.
                if (package.Value.TryGetProperty("resolved", out var version))
                {
                    packages[package.Name] = version.GetString()!;
                }
            }
        }
        return packages;
    }
}
